import type { BalanceSource } from '@tokone/admission';
import type { Pool } from '@tokone/persistence';

/**
 * Balances for cold accounts, from the ledger. Reads only: whoever calls has passed the fence, so that no charge is
 * still on its way.
 */
export class LocalBalanceSource implements BalanceSource {
  constructor(private readonly pool: Pool) {}

  async read(accountId: string): Promise<{ seq: bigint; balanceNanoUsd: bigint } | undefined> {
    const { rows } = await this.pool.query<{ seq: bigint; balance: bigint }>({
      name: 'account-balance',
      text: `SELECT seq, balance FROM account.ledger_accounts WHERE kind = 'wallet' AND account_id = $1`,
      values: [accountId],
    });
    const [wallet] = rows;
    return wallet && { seq: wallet.seq, balanceNanoUsd: wallet.balance };
  }
}

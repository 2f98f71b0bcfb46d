import type { Balances, WalletBalance } from '@tokone/account-client';
import type { BalanceSource } from '@tokone/admission';
import type { Pool } from '@tokone/persistence';

/**
 * Balances from the ledger: for cold accounts of admission, and for tenants who ask. Reads only: admission has passed
 * the fence before it asks, so that no charge is still on its way.
 */
export class LocalBalanceSource implements BalanceSource, Balances {
  constructor(private readonly pool: Pool) {}

  async read(accountId: string): Promise<WalletBalance | undefined> {
    const { rows } = await this.pool.query<{ seq: bigint; balance: bigint }>({
      name: 'account-balance',
      text: `SELECT seq, balance FROM account.ledger_accounts WHERE kind = 'wallet' AND account_id = $1`,
      values: [accountId],
    });
    const [wallet] = rows;
    return wallet && { seq: wallet.seq, balanceNanoUsd: wallet.balance };
  }

  /** Those of the accounts that there are, of one moment. */
  async readAll(accountIds: readonly string[]): Promise<Map<string, WalletBalance>> {
    const { rows } = await this.pool.query<{ account_id: string; seq: bigint; balance: bigint }>({
      name: 'account-balances',
      text: `SELECT account_id, seq, balance FROM account.ledger_accounts WHERE kind = 'wallet' AND account_id = ANY ($1::uuid[])`,
      values: [accountIds],
    });
    return new Map(rows.map((row) => [row.account_id, { seq: row.seq, balanceNanoUsd: row.balance }]));
  }

  async balanceOf(accountId: string): Promise<bigint> {
    return (await this.read(accountId))?.balanceNanoUsd ?? 0n;
  }
}

import type { Admission } from '@tokone/admission';
import { inTransaction } from '@tokone/persistence';
import type { Pool, PoolClient } from '@tokone/persistence';
import type { RaiseAlarm } from './account-alarm.js';
import { AccountError } from './account-error.js';
import { writeAudit } from './audit.js';
import { topUpLegs } from './ledger.js';
import { postTransfer } from './transfer.js';
import type { TransferReceipt } from './transfer.js';

/** Nine billion USD per wallet is what 64 bits hold; a single top-up stays far below. */
export const LARGEST_TOP_UP_NANO_USD = 1_000_000_000_000_000n;

export interface TopUp {
  /** Idempotency id, a UUID: the same id never adds twice. */
  id: string;
  accountId: string;
  /** Nano-USD, 0 < amount ≤ one million USD. */
  amountNanoUsd: bigint;
  memo?: string | undefined;
  /** For the audit log. */
  actor: string;
}

/** Paid-in credit: wallet up, top-up clearing down. */
export class TopUps {
  constructor(
    private readonly pool: Pool,
    private readonly admission: Pick<Admission, 'post'>,
    private readonly raiseAlarm: RaiseAlarm,
  ) {}

  /**
   * Adds the amount once per id and tells admission at once. The same id and content again gives the first result.
   * @throws AccountError `invalid_request`, `not_found`, `conflict`.
   */
  async topUp(topUp: TopUp): Promise<TransferReceipt> {
    const receipt = await inTransaction(this.pool, (client) => postTopUp(client, topUp));
    const { accountId } = topUp;
    try {
      await this.admission.post({ accountId, seq: receipt.seq, balanceNanoUsd: receipt.balanceNanoUsd, requestIds: [] });
    } catch (error) {
      // The money is in the ledger, and the sweeper repeats the push: the operator must not top up again.
      this.raiseAlarm({ kind: 'push_failed', accountIds: [accountId], error });
    }
    return receipt;
  }
}

/** The posting alone, for a transaction that holds more. */
export async function postTopUp(client: PoolClient, topUp: TopUp): Promise<TransferReceipt> {
  const { id, accountId, amountNanoUsd, memo, actor } = topUp;
  if (amountNanoUsd <= 0n || amountNanoUsd > LARGEST_TOP_UP_NANO_USD) {
    throw new AccountError('invalid_request', 'amount: a top-up is more than 0 and at most 1000000 USD.');
  }
  const receipt = await postTransfer(client, { id, kind: 'top_up', accountId, amountNanoUsd, memo, legs: topUpLegs(amountNanoUsd) });
  if (receipt.isNew) {
    const after = { transferId: id, amountNanoUsd: String(amountNanoUsd), balanceNanoUsd: String(receipt.balanceNanoUsd) };
    const before = { balanceNanoUsd: String(receipt.balanceNanoUsd - amountNanoUsd) };
    await writeAudit(client, { actor, action: 'account.topped_up', subject: accountId, before, after });
  }
  return receipt;
}

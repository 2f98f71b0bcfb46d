import type { AdmissionAudit, AuditedAccount } from '../admission-audit.js';
import { COLD, HOLD_LEASE_MS } from './redis-accounts.js';
import type { RedisAccounts } from './redis-accounts.js';
import { readStoredAccount } from './stored-account.js';

/** The accounts that are open in Redis, each as it stood at one moment. The age of a hold is that since its lease was last renewed. */
export class RedisAdmissionAudit implements AdmissionAudit {
  constructor(private readonly accounts: Pick<RedisAccounts, 'accountIds' | 'look' | 'fieldsOf'>) {}

  /** @throws behind all accounts that could be read, when Redis does not answer for some, or what it has there is no account. */
  async *pages(): AsyncGenerator<AuditedAccount[]> {
    let [unread, first] = [0, ''];
    for await (const ids of this.accounts.accountIds()) {
      const readOne = (accountId: string): Promise<AuditedAccount | undefined> =>
        this.accountOf(accountId).catch((error: unknown) => {
          if (unread++ === 0) first = `${accountId}: ${String(error)}`;
          return undefined;
        });
      const page = await Promise.all(ids.map(readOne));
      yield page.filter((account) => account !== undefined);
    }
    if (unread > 0) throw new Error(`accounts that could not be read: ${unread}; the first is ${first}`);
  }

  private async accountOf(accountId: string): Promise<AuditedAccount | undefined> {
    const seen = await this.accounts.look(accountId);
    const stored = seen === COLD ? undefined : readStoredAccount(await this.accounts.fieldsOf(accountId));
    if (seen === COLD || !stored?.ready) return undefined;
    const { seq, limitNanoUsd, heldNanoUsd, settledNanoUsd } = stored;
    const held = stored.held.map(({ requestId, amountNanoUsd, leaseUntilMs }) => ({ requestId, state: 'held' as const, amountNanoUsd, ageMs: seen.nowMs - leaseUntilMs + HOLD_LEASE_MS, leaseMs: HOLD_LEASE_MS }));
    const settled = stored.settled.map(({ requestId, amountNanoUsd, atMs }) => ({ requestId, state: 'settled' as const, amountNanoUsd, ageMs: seen.nowMs - atMs }));
    return { accountId, seq, limitNanoUsd, heldNanoUsd, settledNanoUsd, records: [...held, ...settled] };
  }
}

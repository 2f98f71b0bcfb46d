import { COLD, readStoredAccount } from '@tokone/admission';
import type { RedisAccounts, StoredHold } from '@tokone/admission';
import type { AdmissionView, UnpostedAccount } from '../balance-sweeper.js';
import { eachOf } from './opening-round.js';

/** A hold whose lease was not renewed. */
export interface ExpiredHold extends StoredHold {
  accountId: string;
  /** By the server's clock. */
  expiredForMs: number;
}

export interface RedisViewOptions {
  accounts: Pick<RedisAccounts, 'accountIds' | 'look' | 'fieldsOf' | 'drop'>;
  /** Most accounts that one look takes; all others have their turn in the next ones. */
  maxAccounts?: number;
  /** Some of the accounts of a look could not be looked at: they are on a node that is away, or are no accounts any more. */
  onTrouble?: (failures: readonly unknown[]) => void;
}

const MOST_ACCOUNTS = 5_000;
const MOST_EXPIRED = 1_000;
/** Younger ones are most likely on their way. */
const OLDER_THAN_MS = 2_000;

/**
 * What Redis has of accounts, for the sweepers: in each look the next 5,000 accounts, round and round. So up to that
 * number a lost push is repeated by the next sweep, and with 100,000 accounts within twenty.
 */
export class RedisView implements AdmissionView {
  private round: AsyncGenerator<readonly string[]> | undefined;
  private expired: ExpiredHold[] = [];

  constructor(private readonly options: RedisViewOptions) {}

  /** Accounts with their sequence, and the requests whose posting Redis may have missed. @throws when Redis answers for none. */
  async unposted(): Promise<UnpostedAccount[]> {
    const found: UnpostedAccount[] = [];
    this.expired = [];
    const accountIds = await this.nextAccounts();
    const failures = await eachOf(accountIds, async (accountId) => {
      const account = await this.lookAt(accountId);
      if (account) found.push(account);
    });
    if (failures.length > 0 && failures.length === accountIds.size) throw failures[0];
    if (failures.length > 0) this.options.onTrouble?.(failures);
    return found;
  }

  /** Of the last look. Each is told once per look. */
  takeExpired(): ExpiredHold[] {
    return this.expired.splice(0, MOST_EXPIRED);
  }

  private async nextAccounts(): Promise<Set<string>> {
    const { accounts, maxAccounts = MOST_ACCOUNTS } = this.options;
    const next = new Set<string>();
    try {
      this.round ??= accounts.accountIds();
      while (next.size < maxAccounts) {
        const page = await this.round.next();
        if (page.done) {
          this.round = undefined;
          break;
        }
        for (const accountId of page.value) next.add(accountId);
      }
    } catch (error) {
      this.round = undefined;
      // A node that is away is told of last, behind the accounts of all others.
      if (next.size === 0) throw error;
      this.options.onTrouble?.([error]);
    }
    return next;
  }

  private async lookAt(accountId: string): Promise<UnpostedAccount | undefined> {
    const { accounts } = this.options;
    const seen = await accounts.look(accountId);
    if (seen === COLD) return undefined;
    if (seen.records === 0) return { accountId, seq: seen.seq, requestIds: [] };
    const stored = readStoredAccount(await accounts.fieldsOf(accountId));
    if (!stored?.ready) return undefined;
    const over = stored.tombstones.filter(({ untilMs }) => untilMs < seen.nowMs);
    if (over.length > 0) await accounts.drop(accountId, over);
    const expired = stored.held.filter(({ leaseUntilMs }) => leaseUntilMs < seen.nowMs);
    for (const hold of expired) this.expired.push({ ...hold, accountId, expiredForMs: seen.nowMs - hold.leaseUntilMs });
    const settled = stored.settled.filter(({ atMs }) => atMs <= seen.nowMs - OLDER_THAN_MS);
    return { accountId, seq: stored.seq, requestIds: [...settled, ...expired].map(({ requestId }) => requestId) };
  }
}

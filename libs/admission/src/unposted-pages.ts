import type { UnpostedRecords } from './memory-admission.js';
import { MOST_UNPOSTED_ACCOUNTS, MOST_UNPOSTED_REQUESTS } from './posting-wire.js';

export interface UnpostedPagesOptions {
  admission: {
    /** The accounts with settled records that are older. */
    waiting(olderThanMs: number): readonly UnpostedRecords[];
    /** All accounts; may be read on while they come and go. */
    loaded(): Iterator<{ accountId: string; seq: bigint }>;
  };
  maxAccounts?: number;
  maxRequests?: number;
}

/**
 * The view of an admission in bounded answers. Accounts with settled records that wait for their posting come first, in
 * every answer; all accounts, whose only other trouble is a lost push of a top-up, take turns in the room that is left.
 * So a lost posting is repeated by the next sweep, and a lost top-up at the latest after one round through all loaded
 * accounts: 5,000 in one sweep, 100,000 in twenty. Where even the waiting ones are too many, they take turns too.
 */
export class UnpostedPages {
  /** Accounts that wait and had their turn in the present round. Not more than wait. */
  private readonly shown = new Set<string>();
  private round: Iterator<{ accountId: string; seq: bigint }> | undefined;

  constructor(private readonly options: UnpostedPagesOptions) {}

  next(olderThanMs: number): UnpostedRecords[] {
    const { admission, maxAccounts = MOST_UNPOSTED_ACCOUNTS, maxRequests = MOST_UNPOSTED_REQUESTS } = this.options;
    const page = new Map<string, UnpostedRecords>();
    let requests = 0;
    for (const account of turns(admission.waiting(olderThanMs), this.shown)) {
      if (page.size >= maxAccounts || requests >= maxRequests) break;
      const requestIds = account.requestIds.slice(0, maxRequests - requests);
      page.set(account.accountId, { ...account, requestIds });
      requests += requestIds.length;
    }
    this.round ??= admission.loaded();
    while (page.size < maxAccounts) {
      const { value, done } = this.round.next();
      if (done) {
        this.round = undefined;
        break;
      }
      if (!page.has(value.accountId)) page.set(value.accountId, { ...value, requestIds: [] });
    }
    return [...page.values()];
  }
}

/**
 * Each account once: first those that had no turn in this round, then those of the next one. By name and not by place:
 * accounts come and go between two pages. Noted is what the caller took, which is all but the one that it broke off at.
 */
function* turns(accounts: readonly UnpostedRecords[], shown: Set<string>): Generator<UnpostedRecords> {
  const later = accounts.filter(({ accountId }) => shown.has(accountId));
  const now = accounts.filter(({ accountId }) => !shown.has(accountId));
  for (const account of now) {
    yield account;
    shown.add(account.accountId);
  }
  shown.clear();
  for (const { accountId } of now) shown.add(accountId);
  for (const account of later) {
    yield account;
    shown.add(account.accountId);
  }
}

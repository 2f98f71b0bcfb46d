import type { AccountOpener } from './account-opener.js';
import { OpeningQueue } from './opening-queue.js';
import type { RedisAccounts } from './redis-accounts.js';

export interface AccountPassageOptions {
  accounts: Pick<RedisAccounts, 'sees'>;
  store: { reconnect(): void };
  opener: AccountOpener;
  /** Milliseconds, monotonic. */
  now: () => number;
}

/**
 * Which accounts may be asked for at this gateway's Redis. All, but those of which it is known that they were opened
 * elsewhere: two servers may be alive at a time after a failover, and each would admit the same balance.
 */
export class AccountPassage {
  /**
   * Accounts, and the token of the opening that must be seen first. Each stays until it is asked for where that is seen,
   * so at most as many as were announced or opened while this gateway saw another server, or none. One entry an account.
   */
  private readonly apart = new Map<string, string>();
  private readonly queue: OpeningQueue;

  constructor(private readonly options: AccountPassageOptions) {
    this.queue = new OpeningQueue({ opener: options.opener, now: options.now });
  }

  /** @throws RedisUnavailableError when it has to be looked up and cannot. */
  async mayAsk(accountId: string): Promise<boolean> {
    const token = this.apart.get(accountId);
    if (token === undefined) return true;
    if (!(await this.options.accounts.sees(accountId, token))) return false;
    // A later announcement may have come meanwhile.
    if (this.apart.get(accountId) === token) this.apart.delete(accountId);
    return !this.apart.has(accountId);
  }

  /** Waits until the account is open, where this gateway sees it. False: there is no such account. @throws when that takes too long, or cannot be asked. */
  async open(accountId: string, waitMs: number): Promise<boolean> {
    const token = await this.queue.open(accountId, waitMs);
    if (token === undefined) return false;
    await this.keepTo([accountId], token);
    return true;
  }

  /** As above, for nobody who waits. */
  openSoon(accountId: string): void {
    this.queue.openSoon(accountId, (token) => void this.keepTo([accountId], token));
  }

  /** From here on these accounts are asked for only where their opening with that token is seen. Never rejects. */
  async keepTo(accountIds: readonly string[], token: string): Promise<void> {
    for (const accountId of accountIds) this.apart.set(accountId, token);
    const seen = await Promise.all(accountIds.map((accountId) => this.options.accounts.sees(accountId, token).catch(() => undefined)));
    accountIds.forEach((accountId, index) => {
      if (seen[index] === true && this.apart.get(accountId) === token) this.apart.delete(accountId);
    });
    if (seen.includes(false)) this.options.store.reconnect();
  }
}

import type { AccountChanged } from '@tokone/events';

/** Whoever has a cache of what account owns. Its methods return at once. */
export interface AccountChangeListener {
  changed(event: AccountChanged): void;
  /** Some changes may not have been told: everything that is cached may be out of date. Comes at the beginning, too. */
  missedSome(): void;
}

/**
 * The feed of `account.changed`, to each process that follows it, each event at least once, in any order. What happened
 * while it could not be followed is not told one by one: `missedSome` is, once it can be followed again.
 */
export interface AccountChangeFeed {
  follow(listener: AccountChangeListener): Promise<AccountChangeSubscription>;
}

export interface AccountChangeSubscription {
  stop(): Promise<void>;
}

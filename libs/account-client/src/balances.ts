import type { BalanceQuery } from './account-directory.js';

/** What the ledger holds of an account: `balanceNanoUsd` after `seq` entries of its wallet. */
export interface WalletBalance {
  seq: bigint;
  balanceNanoUsd: bigint;
}

/**
 * Balances as the ledger has them. Drivers: account's own tables, HTTP to the account service. Every answer is read at
 * the call, deadline 2 s. Admission opens an account with such an answer, but only behind the fence.
 */
export interface Balances extends BalanceQuery {
  /** Undefined: no such account. */
  read(accountId: string): Promise<WalletBalance | undefined>;
}

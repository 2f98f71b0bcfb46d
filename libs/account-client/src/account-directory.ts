import type { Platform } from '@tokone/protocol';
import type { ScopedLimits } from './request-limits.js';

/** What the gateway needs to know about a key, whatever its state. */
export interface KeyRecord {
  keyId: string;
  accountId: string;
  groupId: string;
  groupName: string;
  platform: Platform;
  /** Models that the group sells; undefined = every priced model of its platform. */
  models: ReadonlySet<string> | undefined;
  /** Override of the account, else of the group. */
  multiplierPpm: number;
  status: 'active' | 'disabled';
  accountStatus: 'active' | 'suspended';
  /** At most one of each scope, and none of what is not limited. */
  limits: readonly ScopedLimits[];
}

export interface GroupRecord {
  groupId: string;
  name: string;
  platform: Platform;
  models: ReadonlySet<string> | undefined;
}

/**
 * Keys and groups. Drivers: account's own tables, HTTP to the account service.
 * Every answer is fresh as of the call; caching is the caller's, by the rule of 5 s and 60 s.
 */
export interface AccountDirectory {
  /** `digest` is HMAC-SHA-256(pepper, key), 32 bytes. Undefined: no such key. */
  findKey(digest: Buffer): Promise<KeyRecord | undefined>;
  /** All groups, for refusals that name the group to use. */
  groups(): Promise<readonly GroupRecord[]>;
}

/** What an account has, for `GET /v1/usage`. Drivers: account's own tables, HTTP to the account service. */
export interface BalanceQuery {
  /** Posted balance, nano-USD; 0n for an unknown account. Deadline 2 s. */
  balanceOf(accountId: string): Promise<bigint>;
}

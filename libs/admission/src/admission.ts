import type { ScopedLimits } from '@tokone/account-client';
import type { LimitRefusal } from './limits/account-limits.js';

/**
 * The port that keeps balances from passing zero. Drivers: a Map in one process; one Lua script per action in Redis.
 *
 * Per account it knows `limit` (balance posted up to ledger sequence `seq`) and one record per running or closed but
 * unposted request. available = limit − Σ records. Every request is counted exactly once: inside the posted balance
 * or as a record. All actions are idempotent by request id. Amounts are nano-USD ≥ 0.
 *
 * In the same step it keeps limits: requests and tokens in any 60 s, and requests at a time. A request counts in all
 * scopes that it names or in none, once however often it is repeated, and never where the balance refuses it: no wait
 * helps there. What limits have counted may be lost with the state, and begins anew.
 */
export interface Admission {
  /** Takes a hold, all or nothing. Repeating gives the decision of the first answer and the hold as it is now. */
  reserve(request: ReserveRequest): Promise<ReserveResult>;
  /**
   * Raises a hold by `byNanoUsd`, or by what is left if that is less. `addedNanoUsd` 0 means nothing was left.
   * A request that has no hold (void, settled, lost) gets 0. Rejects while the account's state is not known.
   */
  extend(accountId: string, requestId: string, byNanoUsd: bigint): Promise<ExtendResult>;
  /**
   * The request ended and cost `costNanoUsd`: grants it up to the hold plus what is available, replaces the hold by
   * the grant, and frees the rest. Repeating gives the first answer. A request without a record was posted already, or
   * its hold was lost: it is granted its cost up to the hold that its gateway names and to what is available, and
   * counted until its posting is told once more. Rejects when there is no answer or the account's state is not known:
   * the grant is then the cost, at most the hold, and the driver repeats it with that until it is answered.
   */
  settle(accountId: string, settlement: Settlement): Promise<bigint>;
  /**
   * Gives a hold back whole: the request never reached an upstream, or will not be charged. Its slot and its tokens are
   * free again, but it stays one request of its minute. An id that was released is not reserved again.
   */
  release(accountId: string, requestId: string): Promise<void>;
  /**
   * A former run of this process held that for a request, which it left open: known as a hold of this one until it is
   * settled or released. Takes nothing of the balance: where state outlives a process, the hold does too.
   */
  adopt(hold: { accountId: string; requestId: string; heldNanoUsd: bigint }): void;
  /**
   * The ledger posted `requestIds` and any top-up; its balance is `balanceNanoUsd` at `seq`. The higher seq wins, and
   * the records go in the same step. Accounts that are not loaded are ignored.
   */
  post(posting: AdmissionPosting): Promise<void>;
  /** Undefined: it can be asked, as far as is known. Else what is wrong, as a sentence without secrets. */
  problem(): string | undefined;
}

export interface ReserveRequest {
  accountId: string;
  requestId: string;
  /**
   * Nano-USD to hold, given what is available: the four cases need the balance, so the amount is a function.
   * Pure and cheap; returns the hold and the part that decides between 402 and 429.
   */
  amount: HoldRule;
  /** What it counts in; absent or empty costs nothing. */
  limits?: readonly ScopedLimits[];
  /** That it may use: counted until it ends, then replaced by what it did use. Not more than any limit of tokens, since no wait would help. */
  tokens?: number;
}

/** Decides the hold from what the account has available. See `decideHold`. */
export interface HoldRule {
  inputNanoUsd: bigint;
  /** Input and the worst output. */
  worstNanoUsd: bigint;
  /** Nano-USD of 4,096 output tokens, or of the worst case if that is less. */
  firstStepNanoUsd: bigint;
  mode: 'stream' | 'limit_stated' | 'no_limit';
}

export type ReserveResult =
  | { status: 'held'; holdNanoUsd: bigint; extendable: boolean; /** the hold covers the worst case */ whole: boolean }
  | { status: 'insufficient_balance'; availableNanoUsd: bigint; neededNanoUsd: bigint }
  | { status: 'balance_held'; availableNanoUsd: bigint; neededNanoUsd: bigint }
  | ({ status: 'limited' } & LimitRefusal)
  /** The account's state is not known (yet): not a refusal of the tenant, try again. `cause` is for the log. */
  | { status: 'unavailable'; cause?: unknown };

/** What `settle` is told: the cost of a request that ended, and what its gateway knows to be held for it. */
export interface Settlement {
  requestId: string;
  costNanoUsd: bigint;
  heldNanoUsd: bigint;
  /**
   * The grant may be less than the hold, when the balance covers less by now. Only for who takes no answer but that of
   * admission: a hold that a former process left open may be larger than what that process settled for.
   */
  mayBeLess?: boolean;
  /** That it used, of all classes. Absent: what it might have used stays counted. */
  usedTokens?: number;
}

export interface ExtendResult {
  addedNanoUsd: bigint;
  holdNanoUsd: bigint;
}

export interface AdmissionPosting {
  accountId: string;
  seq: bigint;
  balanceNanoUsd: bigint;
  requestIds: readonly string[];
}

/** Where a cold account's balance comes from: the ledger, read behind the fence. */
export interface BalanceSource {
  /** Undefined: no such account. */
  read(accountId: string): Promise<{ seq: bigint; balanceNanoUsd: bigint } | undefined>;
}

import type { LimitScope, ScopedLimits } from '@tokone/account-client';
import type { RedisScript, RedisStore } from '@tokone/redis';
import type { AdmissionPosting, ExtendResult, HoldRule, ReserveResult, Settlement } from '../admission.js';
import type { LimitKind } from '../limits/account-limits.js';
import { RENEW_SLOTS, RESERVE_LIMITED, SETTLE_LIMITED, VOID_LIMITED } from './limit-scripts.js';
import { ANNOUNCE, BEGIN, DROP, EXTEND, LOOK, OPEN, POST, RENEW, RESERVE, SEE, SETTLE, VOID } from './scripts.js';

/** The account is not known in this epoch, or is being opened. */
export const COLD = 'cold';
export type Cold = typeof COLD;

/** More than this of a balance is not offered to requests: doubles, in which scripts compute, are exact below 2^53. In nano-USD, 9,007,199 USD. */
export const MOST_LIMIT_NANO_USD = 9_007_199_000_000_000n;
/** Of a hold that is not renewed, and of one that is announced. */
export const HOLD_LEASE_MS = 30_000;
const MOST_AMOUNT_NANO_USD = BigInt(Number.MAX_SAFE_INTEGER);
/** A reserve that comes later than this after it was given up is no longer expected: it lay in a socket of a server that stood still. */
const TOMBSTONE_MS = 60_000;
/** Ids and records in one call of a script. */
const MOST_AT_ONCE = 1_000;

export interface HoldRequest {
  requestId: string;
  /** Gateway that renews the lease. */
  owner: string;
  leaseMs: number;
  rule: HoldRule;
  /** What it counts in, and with how many tokens. */
  limits?: readonly ScopedLimits[] | undefined;
  tokens?: number | undefined;
}

/** A hold as its gateway tells it while its account is being opened. */
export interface AnnouncedHold {
  requestId: string;
  amountNanoUsd: bigint;
  extendable: boolean;
  whole: boolean;
  owner: string;
}

export interface OpeningToken {
  /** Begins with `replica`. */
  token: string;
  /** The process that opens. Its own unfinished openings are begun anew at once. */
  replica: string;
  /** After that another replica's opening counts as left behind. */
  staleMs: number;
}

/** A record as it stands in Redis, for the sweeper. */
export interface StoredRecord {
  requestId: string;
  value: string;
}

/**
 * What happens to single accounts in Redis, one script per action. Amounts go in and out as nano-USD; what could not be
 * told in a double is cut off where that errs to the safe side.
 * Everything @throws `RedisUnavailableError` when it is not known whether it happened.
 */
export class RedisAccounts {
  constructor(
    private readonly store: Pick<RedisStore, 'run' | 'remove' | 'fieldsOf' | 'keys'>,
    /** In front of every key, the same in all processes of a deployment. */
    private readonly prefix: string,
  ) {}

  /** `void`: the request was given up before; it holds nothing and will not. */
  async reserve(accountId: string, { requestId, owner, leaseMs, rule, limits = [], tokens = 0 }: HoldRequest): Promise<ReserveResult | Cold | 'void'> {
    const { inputNanoUsd, worstNanoUsd, firstStepNanoUsd, mode } = rule;
    const hold = [requestId, owner, leaseMs, write(inputNanoUsd), write(worstNanoUsd), write(firstStepNanoUsd), mode];
    const answer = limits.length === 0 ? this.run(RESERVE, accountId, hold) : this.runLimited(RESERVE_LIMITED, { accountId, limits }, [...hold, tokens, ...limits.flatMap(writeLimits)]);
    const [status, first, second, limit, retryAfterMs] = await answer;
    switch (status) {
      case 'held':
        return { status: 'held', holdNanoUsd: read(first), extendable: second === 1, whole: second === 2 };
      case 'insufficient':
        return { status: 'insufficient_balance', availableNanoUsd: read(first), neededNanoUsd: read(second) };
      case 'held_by_others':
        return { status: 'balance_held', availableNanoUsd: read(first), neededNanoUsd: read(second) };
      case 'limited':
        return { status: 'limited', scope: limits[Number(first)]?.scope as LimitScope, kind: second as LimitKind, limit: Number(limit), retryAfterMs: Number(retryAfterMs) };
      case 'void':
        return 'void';
      default:
        return COLD;
    }
  }

  async extend(accountId: string, requestId: string, byNanoUsd: bigint): Promise<ExtendResult | Cold> {
    const [status, added, hold] = await this.run(EXTEND, accountId, [requestId, write(byNanoUsd)]);
    return status === 'extended' ? { addedNanoUsd: read(added), holdNanoUsd: read(hold) } : COLD;
  }

  /** `limits`: what its reserve named. */
  async settle(accountId: string, settlement: Settlement, limits: readonly ScopedLimits[] = []): Promise<bigint | Cold> {
    const { requestId, costNanoUsd, heldNanoUsd, mayBeLess, usedTokens } = settlement;
    const args = [requestId, write(costNanoUsd), write(heldNanoUsd), mayBeLess === true ? 1 : 0];
    const [status, grant] = await (limits.length === 0 ? this.run(SETTLE, accountId, args) : this.runLimited(SETTLE_LIMITED, { accountId, limits }, [...args, usedTokens ?? '']));
    return status === 'settled' ? read(grant) : COLD;
  }

  /** `limits`: as above. */
  async void(accountId: string, requestId: string, limits: readonly ScopedLimits[] = []): Promise<'void' | Cold> {
    const args = [requestId, TOMBSTONE_MS];
    const [status] = await (limits.length === 0 ? this.run(VOID, accountId, args) : this.runLimited(VOID_LIMITED, { accountId, limits }, args));
    return status === 'void' ? 'void' : COLD;
  }

  async post({ accountId, seq, balanceNanoUsd, requestIds }: AdmissionPosting): Promise<'posted' | Cold> {
    for (const ids of slices(requestIds)) {
      const [status] = await this.run(POST, accountId, [seq.toString(), cap(balanceNanoUsd).toString(), ...ids]);
      if (status !== 'posted') return COLD;
    }
    return 'posted';
  }

  async renew(accountId: string, leaseMs: number, requestIds: readonly string[]): Promise<void> {
    for (const ids of slices(requestIds)) await this.run(RENEW, accountId, [leaseMs, ...ids]);
  }

  /** Of the requests that hold a slot of that scope. */
  async renewSlots(accountId: string, { scope, leaseMs }: { scope: ScopedLimits; leaseMs: number }, requestIds: readonly string[]): Promise<void> {
    for (const ids of slices(requestIds)) await this.store.run(RENEW_SLOTS, this.slotsOf(accountId, scope), [leaseMs, ...ids]);
  }

  /** `ready`: it is open, by the opening that is named. `busy`: another replica is opening it. */
  async begin(accountId: string, { token, replica, staleMs }: OpeningToken): Promise<{ ready: string } | 'begun' | 'busy'> {
    const [status, by] = await this.run(BEGIN, accountId, [token, replica, staleMs]);
    if (status === 'ready') return { ready: String(by) };
    return status === 'busy' ? 'busy' : 'begun';
  }

  /** Whether this connection leads to where the opening with that token was begun. */
  async sees(accountId: string, token: string): Promise<boolean> {
    return (await this.run(SEE, accountId, [token]))[0] === 'seen';
  }

  /** False: the opening is no longer the one with that token. */
  async announce(accountId: string, { token, leaseMs }: { token: string; leaseMs: number }, holds: readonly AnnouncedHold[]): Promise<boolean> {
    for (const some of slices(holds)) {
      const records = some.flatMap(({ requestId, amountNanoUsd, extendable, whole, owner }) => [requestId, write(amountNanoUsd), extendable ? 1 : whole ? 2 : 0, owner]);
      if ((await this.run(ANNOUNCE, accountId, [token, leaseMs, ...records]))[0] !== 'announced') return false;
    }
    return true;
  }

  /** False: as above. */
  async open(accountId: string, token: string, balance: { seq: bigint; balanceNanoUsd: bigint }): Promise<boolean> {
    return (await this.run(OPEN, accountId, [token, balance.seq.toString(), cap(balance.balanceNanoUsd).toString()]))[0] === 'ready';
  }

  /** Voids holds and forgets tombstones that still stand as they were read. Returns how many did. */
  async drop(accountId: string, records: readonly StoredRecord[]): Promise<number> {
    let dropped = 0;
    for (const some of slices(records)) {
      const [status, count] = await this.run(DROP, accountId, [TOMBSTONE_MS, ...some.flatMap(({ requestId, value }) => [requestId, value])]);
      if (status === 'dropped') dropped += Number(count);
    }
    return dropped;
  }

  /** Of an account that is open: its sequence, how many records it has, and the server's time. */
  async look(accountId: string): Promise<{ seq: bigint; records: number; nowMs: number } | Cold> {
    const [status, seq, records, nowMs] = await this.run(LOOK, accountId, []);
    return status === 'ready' ? { seq: read(seq), records: Number(records), nowMs: Number(nowMs) } : COLD;
  }

  /** As if it had never been open. */
  async forget(accountId: string): Promise<void> {
    await this.store.remove(this.keyOf(accountId));
  }

  /** Header and records of an account as they stand; empty when there is none. */
  fieldsOf(accountId: string): Promise<Record<string, string>> {
    return this.store.fieldsOf(this.keyOf(accountId));
  }

  /** The ids of all accounts that Redis has, in pages. */
  async *accountIds(): AsyncGenerator<readonly string[]> {
    const from = this.prefix.length + 1;
    for await (const keys of this.store.keys(`${this.prefix}{`)) yield keys.map((key) => key.slice(from, -1));
  }

  private run(script: RedisScript, accountId: string, args: readonly (string | number)[]): Promise<readonly unknown[]> {
    return this.store.run(script, this.keyOf(accountId), args);
  }

  private runLimited(script: RedisScript, { accountId, limits }: { accountId: string; limits: readonly ScopedLimits[] }, args: readonly (string | number)[]): Promise<readonly unknown[]> {
    const keys = limits.flatMap((scope) => [`${this.limitKeyOf(accountId, scope)}:window`, this.slotsOf(accountId, scope)]);
    return this.store.run(script, [this.keyOf(accountId), ...keys], args);
  }

  private slotsOf(accountId: string, scope: ScopedLimits): string {
    return `${this.limitKeyOf(accountId, scope)}:slots`;
  }

  /** Not among the keys of accounts, which are found by how they begin. */
  private limitKeyOf(accountId: string, { scope, id }: ScopedLimits): string {
    return `${this.prefix}limit:{${accountId}}:${scope}:${id}`;
  }

  /** The braces keep all that an account has, now and later, on one node of a cluster. */
  private keyOf(accountId: string): string {
    return `${this.prefix}{${accountId}}`;
  }
}

/** The part of a balance that is offered to requests. */
export function cap(balanceNanoUsd: bigint): bigint {
  return balanceNanoUsd > MOST_LIMIT_NANO_USD ? MOST_LIMIT_NANO_USD : balanceNanoUsd;
}

function writeLimits({ requestsPerMinute = 0, tokensPerMinute = 0, concurrentRequests = 0 }: ScopedLimits): number[] {
  return [requestsPerMinute, tokensPerMinute, concurrentRequests];
}

/** More than any limit is as good as the largest number that is exact: it is refused either way. */
function write(amountNanoUsd: bigint): string {
  return (amountNanoUsd > MOST_AMOUNT_NANO_USD ? MOST_AMOUNT_NANO_USD : amountNanoUsd).toString();
}

function read(amount: unknown): bigint {
  return BigInt(amount as number | string);
}

/** At least one slice, which may be empty. */
function* slices<Item>(items: readonly Item[]): Generator<readonly Item[]> {
  let from = 0;
  do {
    yield items.slice(from, from + MOST_AT_ONCE);
    from += MOST_AT_ONCE;
  } while (from < items.length);
}

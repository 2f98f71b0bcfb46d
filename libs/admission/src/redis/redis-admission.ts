import { RedisUnavailableError } from '@tokone/redis';
import type { Admission, AdmissionPosting, ExtendResult, ReserveRequest, ReserveResult, Settlement } from '../admission.js';
import type { AccountOpener } from './account-opener.js';
import { AccountPassage } from './account-passage.js';
import { COLD, HOLD_LEASE_MS } from './redis-accounts.js';
import type { AnnouncedHold, RedisAccounts } from './redis-accounts.js';
import { TrackedHolds } from './tracked-holds.js';
import { UnansweredActions } from './unanswered-actions.js';

export interface RedisAdmissionOptions {
  accounts: RedisAccounts;
  store: {
    /** Resolves when everything that is under way has its answer, or has failed. */
    settled(): Promise<void>;
    reconnect(): void;
    readonly connected: boolean;
  };
  opener: AccountOpener;
  /** This gateway's spool: the same after each start. */
  gatewayId: string;
  /** Milliseconds, monotonic. */
  now: () => number;
  /** Of a hold that is not renewed. Default 30 s; renewed at a third of it. */
  leaseMs?: number;
  /** How long a reserve waits for its account to be opened. Default 5 s. */
  openingMs?: number;
}

/** The account's state is not known: it is being opened anew. */
export class AccountColdError extends Error {
  override readonly name = 'AccountColdError';
}

const OPENING_MS = 5_000;
/** Accounts. One after the other, a server that is far away would take longer for thousands than a lease lasts. */
const RENEWED_AT_A_TIME = 32;

/**
 * Admission of one gateway among many: the balances are in Redis, one script per action. What it was told to hold it
 * knows itself too, so that it can tell when Redis has lost it. What got no answer is never taken as done: a reserve is
 * voided, a settle repeated, until there is an answer. Owner: start and stop.
 */
export class RedisAdmission implements Admission {
  readonly holds = new TrackedHolds();
  private readonly passage: AccountPassage;
  private readonly unanswered: UnansweredActions;
  private readonly leaseMs: number;
  private timer: NodeJS.Timeout | undefined;
  private renewing: Promise<void> | undefined;

  constructor(private readonly options: RedisAdmissionOptions) {
    const { accounts, store, opener, now } = options;
    this.leaseMs = options.leaseMs ?? HOLD_LEASE_MS;
    this.passage = new AccountPassage({ accounts, store, opener, now });
    this.unanswered = new UnansweredActions({ accounts, passage: this.passage, holds: this.holds, now });
  }

  start(): void {
    this.unanswered.start();
    // A Redis that is slow for many accounts is not asked by two rounds at a time.
    this.timer ??= setInterval(() => void (this.renewing ??= this.renew().finally(() => (this.renewing = undefined))), this.leaseMs / 3);
  }

  /** Lets what is being repeated end; what has no answer then is the sweeper's. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.timer = undefined;
    await Promise.all([this.renewing, this.unanswered.stop()]);
  }

  async reserve(request: ReserveRequest): Promise<ReserveResult> {
    const { now, openingMs = OPENING_MS } = this.options;
    const giveUpAtMs = now() + openingMs;
    for (;;) {
      const result = await this.tryReserve(request);
      if (result !== COLD) return result;
      const leftMs = giveUpAtMs - now();
      if (leftMs <= 0) return { status: 'unavailable', cause: new AccountColdError('the account could not be opened in time') };
      try {
        if (!(await this.passage.open(request.accountId, leftMs))) return { status: 'unavailable' };
      } catch (cause) {
        return { status: 'unavailable', cause };
      }
    }
  }

  async extend(accountId: string, requestId: string, byNanoUsd: bigint): Promise<ExtendResult> {
    const extended = (await this.passage.mayAsk(accountId)) ? await this.options.accounts.extend(accountId, requestId, byNanoUsd) : COLD;
    if (extended === COLD) throw this.cold(accountId);
    if (extended.addedNanoUsd > 0n) this.holds.raise(accountId, requestId, extended.addedNanoUsd);
    return extended;
  }

  async settle(accountId: string, settlement: Settlement): Promise<bigint> {
    try {
      const grantNanoUsd = (await this.passage.mayAsk(accountId)) ? await this.options.accounts.settle(accountId, settlement, this.holds.limitsOf(accountId, settlement.requestId)) : COLD;
      if (grantNanoUsd === COLD) throw this.cold(accountId);
      this.holds.delete(accountId, settlement.requestId);
      return grantNanoUsd;
    } catch (error) {
      // Who takes no answer but ours repeats it.
      if (settlement.mayBeLess !== true) this.unanswered.add({ kind: 'settle', accountId, ...settlement });
      throw error;
    }
  }

  async release(accountId: string, requestId: string): Promise<void> {
    const limits = this.holds.limitsOf(accountId, requestId);
    this.holds.delete(accountId, requestId);
    try {
      if (await this.passage.mayAsk(accountId)) return void (await this.options.accounts.void(accountId, requestId, limits));
    } catch {
      // It may have been given back, or not.
    }
    // Where the account was opened elsewhere, the hold may have been told there.
    this.unanswered.add({ kind: 'void', accountId, requestId, limits });
  }

  async post(posting: AdmissionPosting): Promise<void> {
    await this.options.accounts.post(posting);
  }

  problem(): string | undefined {
    return this.options.store.connected ? undefined : 'Redis does not answer, where the balances are.';
  }

  /** Of this gateway: running requests with a hold, and closed ones whose settle has no answer yet. */
  outstanding(): { held: number; settled: number; heldNanoUsd: bigint } {
    const { held, heldNanoUsd } = this.holds.outstanding();
    return { held, settled: this.unanswered.size, heldNanoUsd };
  }

  adopt(hold: { accountId: string; requestId: string; heldNanoUsd: bigint }): void {
    this.holds.add(hold.accountId, hold.requestId, { holdNanoUsd: hold.heldNanoUsd, extendable: false, whole: false });
  }

  /**
   * This gateway's holds of accounts that are being opened, once everything that it has asked of Redis for them is
   * decided. From here on it asks Redis for them only where it sees that opening: a connection that leads to another
   * server, which may still know them, is dropped.
   */
  async announce(accountIds: readonly string[], token: string): Promise<Map<string, AnnouncedHold[]>> {
    await this.passage.keepTo(accountIds, token);
    await this.options.store.settled();
    // The callers' own steps after an answer come before this.
    await new Promise((resolve) => setImmediate(resolve));
    return this.holds.of(accountIds, this.options.gatewayId);
  }

  /** Which of these requests are running here, once everything that was asked of Redis is decided. */
  async running(requests: readonly { accountId: string; requestId: string }[]): Promise<string[]> {
    await this.options.store.settled();
    await new Promise((resolve) => setImmediate(resolve));
    return requests.filter(({ accountId, requestId }) => this.holds.has(accountId, requestId)).map(({ requestId }) => requestId);
  }

  private async tryReserve({ accountId, requestId, amount, limits, tokens }: ReserveRequest): Promise<ReserveResult | typeof COLD> {
    const { accounts, gatewayId } = this.options;
    try {
      if (!(await this.passage.mayAsk(accountId))) return COLD;
      const result = await accounts.reserve(accountId, { requestId, owner: gatewayId, leaseMs: this.leaseMs, rule: amount, limits, tokens });
      if (result === 'void') return { status: 'unavailable' };
      if (result === COLD || result.status !== 'held') return result;
      // Repeated, it counts where it did at first.
      const counted = this.holds.has(accountId, requestId) ? this.holds.limitsOf(accountId, requestId) : limits;
      this.holds.add(accountId, requestId, { ...result, limits: counted });
      return result;
    } catch (cause) {
      // It may still arrive, and hold for nobody.
      if (!(cause instanceof RedisUnavailableError) || cause.sent) this.unanswered.add({ kind: 'void', accountId, requestId, limits });
      return { status: 'unavailable', cause };
    }
  }

  /** Somebody has to ask for it to be opened, or what is repeated would be so for ever. */
  private cold(accountId: string): AccountColdError {
    this.passage.openSoon(accountId);
    return new AccountColdError('the state of the account was lost, and is read anew');
  }

  private async renew(): Promise<void> {
    let some: Promise<unknown>[] = [];
    for (const [accountId, requestIds] of this.holds.all()) {
      if (this.timer === undefined) break;
      some.push(this.renewAccount(accountId, requestIds));
      if (some.length < RENEWED_AT_A_TIME) continue;
      await Promise.all(some);
      some = [];
    }
    await Promise.all(some);
  }

  /** A lease that could not be renewed is, the next time; three times, and a sweeper asks. */
  private async renewAccount(accountId: string, requestIds: readonly string[]): Promise<void> {
    const { accounts } = this.options;
    const slots = this.holds.slotsOf(accountId).map(({ scope, requestIds: running }) => accounts.renewSlots(accountId, { scope, leaseMs: this.leaseMs }, running));
    await Promise.allSettled([accounts.renew(accountId, this.leaseMs, requestIds), ...slots]);
  }
}

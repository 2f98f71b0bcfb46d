import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { LimitScope, ScopedLimits } from '@tokone/account-client';
import type { Admission, ReserveResult } from './admission.js';
import type { AdmissionDriver } from './admission.contract.js';
import type { BalanceSource } from './admission.js';
import type { SpecClock } from './fixtures/clocked-store.js';

export type MakeLimitedDriver = (balances: BalanceSource, clock: SpecClock) => Promise<AdmissionDriver>;

const ACCOUNT = '00000000-0000-7000-8000-0000000000b1';
const USD = 1_000_000_000n;
const SCOPES: readonly LimitScope[] = ['account', 'user', 'key', 'group'];
/** In the middle of a second. */
const STARTED_AT_MS = 1_764_000_000_500;

export function limitedId(number: number): string {
  return `00000000-0000-7000-9000-${number.toString(16).padStart(12, '0')}`;
}

/** What `Admission` promises of limits, the same for every driver, at a time that the spec sets. */
export function limitsContract(name: string, makeDriver: MakeLimitedDriver): void {
  describe(`limits of ${name}`, () => {
    let clock: SpecClock;
    let driver: AdmissionDriver;
    let admission: Admission;
    let balanceNanoUsd: bigint;
    let requests = 0;
    beforeEach(async () => {
      [clock, balanceNanoUsd, requests] = [{ nowMs: STARTED_AT_MS }, 1_000n * USD, 0];
      driver = await makeDriver({ read: async () => ({ seq: 1n, balanceNanoUsd }) }, clock);
      admission = driver.admission;
    });
    afterEach(() => driver.close());

    const limited = (limits: Partial<ScopedLimits>): ScopedLimits => ({ scope: 'key', id: 'k', ...limits });
    /** Holds one cent; the number of the request is that of all so far, unless it is repeated. */
    const reserve = (limits: readonly ScopedLimits[], { tokens = 0, number = ++requests, nanoUsd = USD / 100n } = {}): Promise<ReserveResult> =>
      admission.reserve({ accountId: ACCOUNT, requestId: limitedId(number), limits, tokens, amount: { inputNanoUsd: nanoUsd, worstNanoUsd: nanoUsd, firstStepNanoUsd: 0n, mode: 'limit_stated' } });
    const settle = (number: number, usedTokens?: number, costNanoUsd = 1n): Promise<bigint> =>
      admission.settle(ACCOUNT, { requestId: limitedId(number), costNanoUsd, heldNanoUsd: USD / 100n, ...(usedTokens !== undefined && { usedTokens }) });
    const held = expect.objectContaining({ status: 'held' });

    it.each(SCOPES)('counts the requests of one %s, and not those of another', async (scope) => {
      const limits = [limited({ scope, id: 'one', requestsPerMinute: 2 })];
      expect([await reserve(limits), await reserve(limits)]).toEqual([held, held]);
      expect(await reserve(limits)).toEqual({ status: 'limited', scope, kind: 'requests', limit: 2, retryAfterMs: 60_500 });
      expect(await reserve([limited({ scope, id: 'other', requestsPerMinute: 2 })])).toEqual(held);
      expect(await driver.outstanding()).toMatchObject({ held: 3, heldNanoUsd: (3n * USD) / 100n });
    });

    it.each(SCOPES)('counts the tokens of one %s', async (scope) => {
      const limits = [limited({ scope, id: 'one', tokensPerMinute: 1_000 })];
      expect(await reserve(limits, { tokens: 900 })).toEqual(held);
      expect(await reserve(limits, { tokens: 101 })).toEqual({ status: 'limited', scope, kind: 'tokens', limit: 1_000, retryAfterMs: 60_500 });
      expect(await reserve(limits, { tokens: 100 })).toEqual(held);
      expect(await reserve([limited({ scope, id: 'other', tokensPerMinute: 1_000 })], { tokens: 1_000 })).toEqual(held);
    });

    it.each(SCOPES)('counts the requests of one %s that run at a time', async (scope) => {
      const limits = [limited({ scope, id: 'one', concurrentRequests: 1 })];
      expect(await reserve(limits)).toEqual(held);
      expect(await reserve(limits)).toEqual({ status: 'limited', scope, kind: 'concurrency', limit: 1, retryAfterMs: 1_000 });
      expect(await reserve([limited({ scope, id: 'other', concurrentRequests: 1 })])).toEqual(held);
      await settle(1, 0);
      expect(await reserve(limits)).toEqual(held);
    });

    it('lets nobody through until what was first is more than 60 s old, and says so to the millisecond', async () => {
      const limits = [limited({ requestsPerMinute: 1 })];
      clock.nowMs = STARTED_AT_MS + 499;
      expect(await reserve(limits)).toEqual(held);
      const freeAtMs = Math.floor(STARTED_AT_MS / 1000) * 1000 + 61_000;
      for (clock.nowMs of [STARTED_AT_MS + 500, STARTED_AT_MS + 60_499, freeAtMs - 1]) {
        expect(await reserve(limits)).toMatchObject({ status: 'limited', retryAfterMs: freeAtMs - clock.nowMs });
      }
      clock.nowMs = freeAtMs;
      expect(await reserve(limits)).toEqual(held);
    });

    it('says when enough has left for this request, and not before', async () => {
      const limits = [limited({ tokensPerMinute: 300 })];
      for (const [afterMs, tokens] of [[0, 100], [10_000, 100], [20_000, 100]] as const) {
        clock.nowMs = STARTED_AT_MS + afterMs;
        expect(await reserve(limits, { tokens })).toEqual(held);
      }
      // The first two have to leave: of 100 and 50 only the first.
      expect(await reserve(limits, { tokens: 100 })).toMatchObject({ retryAfterMs: 40_500 });
      expect(await reserve(limits, { tokens: 150 })).toMatchObject({ retryAfterMs: 50_500 });
      clock.nowMs += 50_499;
      expect(await reserve(limits, { tokens: 150 })).toMatchObject({ status: 'limited', retryAfterMs: 1 });
      clock.nowMs += 1;
      expect(await reserve(limits, { tokens: 150 })).toEqual(held);
    });

    it('names of several limits the one that is in the way for longest', async () => {
      const both = (first: Partial<ScopedLimits>, second: Partial<ScopedLimits>) => [limited({ scope: 'account', id: 'a', ...first }), limited({ scope: 'user', id: 'u', ...second })];
      await reserve([limited({ scope: 'user', id: 'u', requestsPerMinute: 1 })]);
      clock.nowMs += 5_000;
      await reserve([limited({ scope: 'account', id: 'a', requestsPerMinute: 1, concurrentRequests: 1 })]);
      expect(await reserve(both({ requestsPerMinute: 1, concurrentRequests: 1 }, { requestsPerMinute: 1 }))).toMatchObject({ scope: 'account', kind: 'requests', retryAfterMs: 60_500 });
      expect(await reserve(both({ concurrentRequests: 1 }, { requestsPerMinute: 1 }))).toMatchObject({ scope: 'user', kind: 'requests', retryAfterMs: 55_500 });
    });

    it('counts a refused request nowhere, whichever of its scopes refuses', async () => {
      const account = limited({ scope: 'account', id: 'a', requestsPerMinute: 2, tokensPerMinute: 100, concurrentRequests: 2 });
      const key = limited({ requestsPerMinute: 1 });
      expect(await reserve([account, key], { tokens: 50 })).toEqual(held);
      for (let time = 0; time < 3; time++) expect(await reserve([account, key], { tokens: 50 })).toMatchObject({ status: 'limited', scope: 'key' });
      expect(await reserve([account], { tokens: 50 })).toEqual(held);
      expect(await driver.outstanding()).toMatchObject({ held: 2 });
    });

    it('refuses for the balance first, and counts that nowhere', async () => {
      const limits = [limited({ requestsPerMinute: 1 })];
      expect(await reserve(limits, { nanoUsd: 2_000n * USD })).toMatchObject({ status: 'insufficient_balance' });
      expect(await reserve(limits)).toEqual(held);
      expect(await reserve(limits, { nanoUsd: 2_000n * USD })).toMatchObject({ status: 'insufficient_balance' });
    });

    it('counts a repeated request once, with the answer that it had', async () => {
      const limits = [limited({ requestsPerMinute: 2, tokensPerMinute: 100, concurrentRequests: 2 })];
      const first = await reserve(limits, { tokens: 50 });
      for (let time = 0; time < 3; time++) expect(await reserve(limits, { tokens: 50, number: 1 })).toEqual(first);
      expect(await reserve(limits, { tokens: 50 })).toEqual(held);
      // Also where it would be refused by now.
      expect(await reserve(limits, { tokens: 50, number: 1 })).toEqual(first);
    });

    it('replaces what a request might use by what it did, in the second in which it was counted', async () => {
      const limits = [limited({ tokensPerMinute: 1_000 })];
      await reserve(limits, { tokens: 900 });
      clock.nowMs += 30_000;
      await settle(1, 100);
      expect(await reserve(limits, { tokens: 901 })).toMatchObject({ status: 'limited', retryAfterMs: 30_500 });
      expect(await reserve(limits, { tokens: 900 })).toEqual(held);
      clock.nowMs += 30_500;
      expect(await reserve(limits, { tokens: 101 })).toMatchObject({ status: 'limited', retryAfterMs: 30_000 });
      expect(await reserve(limits, { tokens: 100 })).toEqual(held);
    });

    it('counts what a request used beyond what it might, so that the next has to wait', async () => {
      const limits = [limited({ tokensPerMinute: 1_000 })];
      await reserve(limits, { tokens: 100 });
      await settle(1, 1_500);
      expect(await reserve(limits, { tokens: 1 })).toMatchObject({ status: 'limited', kind: 'tokens', retryAfterMs: 60_500 });
    });

    it('gives nothing back once the request has left the window', async () => {
      const limits = [limited({ tokensPerMinute: 1_000 })];
      await reserve(limits, { tokens: 900 });
      clock.nowMs += 60_500;
      await reserve(limits, { tokens: 500 });
      await settle(1, 100);
      expect(await reserve(limits, { tokens: 501 })).toMatchObject({ status: 'limited' });
      expect(await reserve(limits, { tokens: 500 })).toEqual(held);
    });

    it('counts what a long answer used beyond its estimate in the minute in which it ends, and nothing less', async () => {
      const limits = [limited({ tokensPerMinute: 1_000 })];
      await reserve(limits, { tokens: 100 });
      await reserve(limits, { tokens: 100 });
      clock.nowMs += 70_000;
      await settle(1, 900);
      await settle(2, 10);
      expect(await reserve(limits, { tokens: 201 })).toMatchObject({ status: 'limited', kind: 'tokens', retryAfterMs: 60_500 });
      expect(await reserve(limits, { tokens: 200 })).toEqual(held);
    });

    it('corrects once, however often it is told', async () => {
      const limits = [limited({ tokensPerMinute: 1_000, concurrentRequests: 2 })];
      await reserve(limits, { tokens: 500 });
      await reserve(limits, { tokens: 100 });
      for (let time = 0; time < 3; time++) await settle(1, 400);
      await admission.release(ACCOUNT, limitedId(1));
      expect(await reserve(limits, { tokens: 501 })).toMatchObject({ kind: 'tokens' });
      expect(await reserve(limits, { tokens: 500 })).toEqual(held);
      expect(await reserve(limits)).toMatchObject({ kind: 'concurrency' });
    });

    it('leaves what a request might use where nobody knows what it did, and frees its slot', async () => {
      const limits = [limited({ tokensPerMinute: 1_000, concurrentRequests: 1 })];
      await reserve(limits, { tokens: 900 });
      await settle(1);
      expect(await reserve(limits, { tokens: 101 })).toMatchObject({ kind: 'tokens' });
      expect(await reserve(limits, { tokens: 100 })).toEqual(held);
    });

    it('frees the slot and the tokens of what cost nothing', async () => {
      const limits = [limited({ tokensPerMinute: 1_000, concurrentRequests: 1 })];
      await reserve(limits, { tokens: 900 });
      await settle(1, 0, 0n);
      expect(await reserve(limits, { tokens: 1_000 })).toEqual(held);
    });

    it('gives slot and tokens of a released request back, but counts it as a request', async () => {
      const limits = [limited({ requestsPerMinute: 2, tokensPerMinute: 1_000, concurrentRequests: 1 })];
      await reserve(limits, { tokens: 1_000 });
      await admission.release(ACCOUNT, limitedId(1));
      expect(await reserve(limits, { tokens: 1_000 })).toEqual(held);
      await admission.release(ACCOUNT, limitedId(2));
      expect(await reserve(limits)).toMatchObject({ status: 'limited', kind: 'requests' });
    });

    it('keeps to a limit that was lowered while it is in use, and to one that was raised', async () => {
      for (let time = 0; time < 5; time++) expect(await reserve([limited({ requestsPerMinute: 5 })])).toEqual(held);
      expect(await reserve([limited({ requestsPerMinute: 2 })])).toMatchObject({ status: 'limited', limit: 2, retryAfterMs: 60_500 });
      expect(await reserve([limited({ requestsPerMinute: 6 })])).toEqual(held);
    });

    it('counts on where a limit of requests has not to do with tokens, and the other way round', async () => {
      await reserve([limited({ requestsPerMinute: 10 })], { tokens: 700 });
      expect(await reserve([limited({ tokensPerMinute: 1_000 })], { tokens: 301 })).toMatchObject({ kind: 'tokens' });
      expect(await reserve([limited({ tokensPerMinute: 1_000 })], { tokens: 300 })).toEqual(held);
      expect(await reserve([limited({ requestsPerMinute: 2 })])).toMatchObject({ kind: 'requests' });
    });

    it('stands still with a clock that goes back, and lets nobody through twice', async () => {
      const limits = [limited({ requestsPerMinute: 1 })];
      expect(await reserve(limits)).toEqual(held);
      clock.nowMs -= 10_000;
      expect(await reserve(limits)).toMatchObject({ status: 'limited', retryAfterMs: 70_500 });
      await settle(1, 0);
      clock.nowMs += 70_500;
      expect(await reserve(limits)).toEqual(held);
    });

    it('begins anew with a clock that goes back by more than it looks at, instead of waiting for it', async () => {
      const limits = [limited({ requestsPerMinute: 1, concurrentRequests: 1 })];
      expect(await reserve(limits)).toEqual(held);
      await settle(1, 0);
      clock.nowMs -= 3_600_000;
      expect(await reserve(limits)).toEqual(held);
      expect(await reserve(limits)).toMatchObject({ status: 'limited', kind: 'requests', retryAfterMs: 60_500 });
    });

    it('admits of many at once exactly as many as fit', async () => {
      const limits = [limited({ scope: 'account', id: 'a', requestsPerMinute: 30 }), limited({ concurrentRequests: 20 })];
      const results = await Promise.all(Array.from({ length: 200 }, () => reserve(limits)));
      expect(results.filter(({ status }) => status === 'held')).toHaveLength(20);
      expect(results.filter(({ status }) => status === 'limited')).toHaveLength(180);
    });
  });
}

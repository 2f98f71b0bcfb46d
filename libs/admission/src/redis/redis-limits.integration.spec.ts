import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { ScopedLimits } from '@tokone/account-client';
import { RedisStore, RedisUnavailableError } from '@tokone/redis';
import { silentLogger } from '@tokone/telemetry';
import { makeTemporaryFolder, startRedisCluster, testServers, waitFor } from '@tokone/testing';
import type { RedisCluster, TemporaryFolder } from '@tokone/testing';
import type { Admission, BalanceSource, ReserveRequest } from '../admission.js';
import { clockedStore } from '../fixtures/clocked-store.js';
import type { SpecClock } from '../fixtures/clocked-store.js';
import { DirectOpener, redisDriver } from '../fixtures/redis-driver.js';
import { limitedId, limitsContract } from '../limits.contract.js';
import { MemoryAdmission } from '../memory-admission.js';
import { RedisAccounts } from './redis-accounts.js';
import { RedisAdmission } from './redis-admission.js';

const ACCOUNT = '00000000-0000-7000-8000-0000000000b1';
const BALANCE: BalanceSource = { read: async () => ({ seq: 1n, balanceNanoUsd: 1_000_000_000_000n }) };
/** The time of the scripts jumps; that of the server, which drops what is idle, is the true one. */
const LEASE_MS = 3_000;

let folder: TemporaryFolder;
let cluster: RedisCluster;
let onOne: RedisStore;
let onThree: RedisStore;

const now = (): number => performance.now();
const storeAt = (url: string): RedisStore => new RedisStore({ url, clientName: 'limits-spec', logger: silentLogger, now, deadlineMs: 2_000 });

beforeAll(async () => {
  folder = await makeTemporaryFolder('limits-cluster');
  cluster = await startRedisCluster({ folder: folder.path });
  onOne = storeAt(await testServers().redis());
  onThree = storeAt(cluster.url);
  await Promise.all([onOne.untilConnected(10_000), onThree.untilConnected(10_000)]);
});
afterAll(async () => {
  await Promise.all([onOne.close(), onThree.close()]);
  await cluster.discard();
  await folder.remove();
});

limitsContract('Redis', (balances, clock) => redisDriver(onOne, balances, clock));
limitsContract('a Redis Cluster of three', (balances, clock) => redisDriver(onThree, balances, clock));

function request(number: number, limits: readonly ScopedLimits[], tokens = 0): ReserveRequest {
  return { accountId: ACCOUNT, requestId: limitedId(number), limits, tokens, amount: { inputNanoUsd: 1n, worstNanoUsd: 1n, firstStepNanoUsd: 0n, mode: 'limit_stated' } };
}

describe('the scripts of limits', () => {
  type Step = { passMs: number; request: number } & ({ reserve: readonly ScopedLimits[]; tokens: number } | { settle: number | undefined } | { release: true });
  const limit = fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined });
  /** Which kinds a scope has stays as it is: what runs while an operator changes that is counted by one driver and not by the other. */
  const scoped = (scope: ScopedLimits['scope']): fc.Arbitrary<ScopedLimits> =>
    fc.oneof(
      fc.record({ scope: fc.constant(scope), id: fc.constant('all'), requestsPerMinute: limit, tokensPerMinute: fc.integer({ min: 100, max: 900 }), concurrentRequests: limit }),
      fc.record({ scope: fc.constant(scope), id: fc.constant('slots'), concurrentRequests: fc.integer({ min: 1, max: 3 }) }),
    );
  const limits = fc.tuple(fc.option(scoped('account')), fc.option(scoped('key'))).map((all) => all.filter((one) => one !== null));
  const step: fc.Arbitrary<Step> = fc.tuple(
    fc.record({ passMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 4_000 }), fc.integer({ min: 0, max: 70_000 })), request: fc.integer({ min: 1, max: 12 }) }),
    fc.oneof(
      { weight: 4, arbitrary: fc.record({ reserve: limits, tokens: fc.integer({ min: 0, max: 300 }) }) },
      { weight: 2, arbitrary: fc.record({ settle: fc.option(fc.integer({ min: 0, max: 600 }), { nil: undefined }) }) },
      { weight: 1, arbitrary: fc.record({ release: fc.constant(true as const) }) },
    ),
  ).map(([when, what]) => ({ ...when, ...what }));

  const take = async (admission: Admission, taken: Step, number: number): Promise<unknown> => {
    const settlement = { requestId: limitedId(number), costNanoUsd: 1n, heldNanoUsd: 1n };
    if ('reserve' in taken) return admission.reserve(request(number, taken.reserve, taken.tokens));
    if ('release' in taken) return admission.release(ACCOUNT, limitedId(number));
    return admission.settle(ACCOUNT, { ...settlement, ...(taken.settle !== undefined && { usedTokens: taken.settle }) });
  };

  it('say at every step of random schedules what the driver of one process says', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), async (steps) => {
        // No lease ends here: in one process there is none.
        const clock: SpecClock = { nowMs: 1_764_000_000_000 };
        const accounts = new RedisAccounts(clockedStore(onOne, clock), `spec:${randomUUID()}:`);
        const opener = new DirectOpener(accounts, BALANCE);
        const redis = new RedisAdmission({ accounts, store: onOne, opener, gatewayId: 'gateway', now, leaseMs: 86_400_000 });
        opener.gateways.push(redis);
        const memory = new MemoryAdmission({ balances: BALANCE, now: () => clock.nowMs });
        for (const admission of [redis, memory]) expect(await admission.reserve(request(0, []))).toMatchObject({ status: 'held' });
        // An id is not used again once its request is over.
        const ended = new Set<number>();
        let next = 0;
        const numbers = new Map<number, number>();
        for (const taken of steps) {
          clock.nowMs += taken.passMs;
          let number = numbers.get(taken.request);
          if (number === undefined || ended.has(number)) numbers.set(taken.request, (number = ++next));
          if (!('reserve' in taken)) ended.add(number);
          expect({ taken, answer: await take(redis, taken, number) }).toEqual({ taken, answer: await take(memory, taken, number) });
        }
      }),
      { numRuns: 40 },
    );
  }, 120_000);
});

describe('a gateway and its slots', () => {
  const slots: readonly ScopedLimits[] = [{ scope: 'account', id: 'a', concurrentRequests: 2 }, { scope: 'key', id: 'k', concurrentRequests: 2 }];
  const gatewaysOn = (store: ReturnType<typeof clockedStore>, count: number): RedisAdmission[] => {
    const accounts = new RedisAccounts(store, `spec:${randomUUID()}:`);
    const opener = new DirectOpener(accounts, BALANCE);
    const gateways = Array.from({ length: count }, (_, index) => new RedisAdmission({ accounts, store: onOne, opener, gatewayId: `gateway-${index}`, now, leaseMs: LEASE_MS }));
    opener.gateways.push(...gateways);
    for (const gateway of gateways) gateway.start();
    return gateways;
  };

  it('that is gone gives them back when their lease ends, not before, and not those of others', async () => {
    const clock: SpecClock = { nowMs: 1_764_000_000_000 };
    let renewals = 0;
    const plain = clockedStore(onOne, clock);
    const counting = { ...plain, run: (...args: Parameters<typeof plain.run>) => plain.run(...args).finally(() => (renewals += args[0].name.endsWith('renew-slots') ? 1 : 0)) };
    const [killed, alive] = gatewaysOn(counting, 2) as [RedisAdmission, RedisAdmission];
    try {
      expect(await killed.reserve(request(1, slots))).toMatchObject({ status: 'held' });
      expect(await alive.reserve(request(2, slots))).toMatchObject({ status: 'held' });
      await killed.stop();
      clock.nowMs += LEASE_MS - 1;
      expect(await alive.reserve(request(3, slots))).toMatchObject({ status: 'limited', kind: 'concurrency' });
      const before = renewals;
      // Two of a round that begins from here on, one for each scope.
      await waitFor(() => renewals >= before + 4, { what: 'the leases to be renewed', deadlineMs: 20_000, intervalMs: 5 });
      clock.nowMs += 1;
      expect(await alive.reserve(request(3, slots))).toMatchObject({ status: 'held' });
      expect(await alive.reserve(request(4, slots))).toMatchObject({ status: 'limited', kind: 'concurrency' });
    } finally {
      await Promise.all([killed.stop(), alive.stop()]);
    }
  });

  it('gives back what it took of limits by a request whose answer was lost', async () => {
    const limits: readonly ScopedLimits[] = [{ scope: 'key', id: 'k', tokensPerMinute: 100, concurrentRequests: 1 }];
    const clock: SpecClock = { nowMs: 1_764_000_000_000 };
    const plain = clockedStore(onOne, clock);
    let losing = true;
    const lossy = {
      ...plain,
      run: async (...args: Parameters<typeof plain.run>) => {
        const answer = await plain.run(...args);
        if (losing && answer[0] === 'held') throw new RedisUnavailableError('the answer was lost', true);
        return answer;
      },
    };
    const [gateway] = gatewaysOn(lossy, 1) as [RedisAdmission];
    try {
      expect(await gateway.reserve(request(1, limits, 100))).toMatchObject({ status: 'unavailable' });
      losing = false;
      await waitFor(async () => (await gateway.reserve(request(2, limits, 100))).status === 'held', { what: 'slot and tokens to be given back', deadlineMs: 5_000 });
    } finally {
      await gateway.stop();
    }
  });

  it('frees a slot by a settle that got its answer late', async () => {
    const clock: SpecClock = { nowMs: 1_764_000_000_000 };
    const plain = clockedStore(onOne, clock);
    let away = false;
    const flaky = { ...plain, run: async (...args: Parameters<typeof plain.run>) => (away ? Promise.reject(new RedisUnavailableError('away', true)) : plain.run(...args)) };
    const [gateway] = gatewaysOn(flaky, 1) as [RedisAdmission];
    const limits: readonly ScopedLimits[] = [{ scope: 'key', id: 'k', tokensPerMinute: 100, concurrentRequests: 1 }];
    try {
      await gateway.reserve(request(1, limits, 100));
      away = true;
      await expect(gateway.settle(ACCOUNT, { requestId: limitedId(1), costNanoUsd: 1n, heldNanoUsd: 1n, usedTokens: 10 })).rejects.toThrow('away');
      away = false;
      await waitFor(async () => (await gateway.reserve(request(2, limits, 90))).status === 'held', { what: 'the settle to be repeated', deadlineMs: 5_000 });
    } finally {
      await gateway.stop();
    }
  });
});

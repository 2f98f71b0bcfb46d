import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { UsageRecorded } from '@tokone/events';
import type { Pool } from '@tokone/persistence';
import { DeadLimit } from './dead-limit.js';
import { startBillingDatabase } from './fixtures/billing-database.js';
import type { BillingDatabase } from './fixtures/billing-database.js';
import { rollupFaults } from './fixtures/rollup-check.js';
import { NOW_MS, RecordedLog, TEST_SEED, batchOf, ids, refusedEvent, usageEvent } from './fixtures/usage-events.js';
import { OutboxSignal } from './outbox-signal.js';
import { LocalPriceBook } from './price-book.js';
import { ensurePriceBook } from './seed-price-book.js';
import { UsageConsumer } from './usage-consumer.js';
import { LocalUsageQuery } from './usage-query.js';

const MINUTE = 60_000;
const MODELS = ['test-model', 'other-model', 'a third'];
const KEYS = Array.from({ length: 6 }, () => ids.next());

let database: BillingDatabase;
let log: RecordedLog;
let consumer: UsageConsumer;

beforeAll(async () => {
  database = await startBillingDatabase();
});
afterAll(async () => {
  await database.close();
});
beforeEach(async () => {
  await database.clear();
  const price = TEST_SEED.models['test-model'] as never;
  await ensurePriceBook(database.pool, { ...TEST_SEED, models: Object.fromEntries(MODELS.map((model) => [model, price])) }, NOW_MS);
  log = new RecordedLog();
  consumer = consumerOn(database.pool);
});

function consumerOn(pool: Pool): UsageConsumer {
  const now = () => NOW_MS;
  return new UsageConsumer({ pool, prices: new LocalPriceBook(pool, log), outbox: new OutboxSignal(), log, now, deadLimit: new DeadLimit(now, { perMinute: 1_000 }) });
}

/** Requests of all keys and models over some hours, in no order, a seventh refused; one in nine ends before it began. */
function requests(count: number): UsageRecorded[] {
  return Array.from({ length: count }, (_, index) => {
    const endedAtMs = NOW_MS - ((index * 7_919) % 300) * MINUTE - index;
    const place = { keyId: KEYS[index % KEYS.length] as string, endedAtMs, startedAtMs: endedAtMs + (index % 9 === 0 ? 50 : -100 - index) };
    if (index % 7 === 6) return refusedEvent(place);
    const model = MODELS[(index * 5) % MODELS.length] as string;
    const tokens = { input: 10 + index, cacheRead: 3, cacheWrite5m: 5, cacheWrite1h: 7, inputAudio: 11, output: 13, reasoning: 17 };
    return usageEvent({ ...place, model, priceId: `1/${model}`, tokens, multiplierPpm: 1_500_000, grantNanoUsd: BigInt(index % 4) * 30_000n });
  });
}

async function countOf(sql: string): Promise<number> {
  const { rows } = await database.pool.query<{ count: number }>(`SELECT count(*)::int AS count FROM ${sql}`);
  return rows[0]?.count ?? -1;
}

describe('the rollup equals the usage rows', () => {
  it('in quarters of an hour by key and model, without refusals', async () => {
    await consumer.handle(batchOf(requests(400)));
    expect(await countOf('billing.usage')).toBe(400);
    expect(await countOf('billing.usage_rollup')).toBeGreaterThan(100);
    expect(await countOf(`billing.usage_rollup WHERE date_part('minute', bucket)::int % 15 <> 0`)).toBe(0);
    expect(await rollupFaults(database.pool)).toEqual([]);
  });

  it('after duplicates in a batch, batches delivered again, overlapping batches and conflicts', async () => {
    const events = requests(300);
    await consumer.handle(batchOf([...events.slice(0, 200), ...structuredClone(events.slice(50, 90))]));
    await consumer.handle(batchOf(events.slice(0, 200)));
    await consumer.handle(batchOf(events.slice(150), { first: 150n }));
    await consumer.handle(batchOf(events.slice(100, 120).map((event) => ({ ...event, requestBytes: 1 })), { first: 300n }));
    expect([await countOf('billing.usage'), await countOf('billing.conflict')]).toEqual([300, 20]);
    expect(await rollupFaults(database.pool)).toEqual([]);
  });

  it('when the database refuses some records of a batch, and when it refuses the whole', async () => {
    const events = requests(60);
    for (const index of [3, 20, 58]) (events[index] as UsageRecorded).groupId = 'not an id';
    await consumer.handle(batchOf(events));
    expect([await countOf('billing.usage'), await countOf('billing.dead')]).toEqual([57, 3]);
    const hopeless = requests(60);
    for (const event of hopeless.slice(5, 40)) event.groupId = 'not an id';
    await expect(consumer.handle(batchOf(hopeless, { first: 60n }))).rejects.toThrow('too many records');
    expect(await rollupFaults(database.pool)).toEqual([]);
  });

  it('when the sums are larger than an integer of the database', async () => {
    const dear = { tokens: { input: 2 ** 40 }, multiplierPpm: 1_000_000, holdNanoUsd: 10n ** 18n - 1n, grantNanoUsd: 10n ** 18n - 1n };
    const seed = { ...TEST_SEED.models['test-model'], tiers: { default: [{ aboveInputTokens: 0, usdPerMillion: { input: '900', output: '900' } }] } };
    await ensurePriceBook(database.pool, { ...TEST_SEED, models: { 'test-model': seed as never } }, NOW_MS);
    const events = Array.from({ length: 20 }, () => usageEvent({ ...dear, keyId: KEYS[0] as string, priceId: '2/test-model' }));
    await consumer.handle(batchOf(events));
    expect([await countOf('billing.usage'), await countOf('billing.dead')]).toEqual([20, 0]);
    expect(await rollupFaults(database.pool)).toEqual([]);
    const query = new LocalUsageQuery(database.pool, () => NOW_MS);
    const { total } = await query.ofKey(KEYS[0] as string, { startDate: '2026-11-01', endDate: '2026-11-30', days: 30, timezone: 'UTC' });
    expect(total.chargedNanoUsd).toBe(20n * 2n ** 40n * 900_000n);
  });
});

describe('two consumers that share keys', () => {
  it('wait for each other, but never in a circle', async () => {
    const other = consumerOn(database.anotherPool());
    let expected = 0;
    for (let round = 0; round < 20; round++) {
      // Ids in common make one wait before it has a sum, so only some rounds have them.
      const [mine, theirs, shared] = [requests(350), requests(350), round % 4 === 0 ? requests(50) : []];
      const first = BigInt(round * 400);
      await Promise.all([consumer.handle(batchOf([...mine, ...shared], { partition: 'a', first })), other.handle(batchOf([...theirs, ...shared].reverse(), { partition: 'b', first }))]);
      expected += 700 + shared.length;
    }
    expect(await countOf('billing.usage')).toBe(expected);
    expect(await rollupFaults(database.pool)).toEqual([]);
    const { rows } = await database.pool.query('SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()');
    expect(rows).toEqual([{ deadlocks: 0n }]);
  });

  it('and one of them has records that the database refuses', async () => {
    const other = consumerOn(database.anotherPool());
    for (let round = 0; round < 20; round++) {
      const [mine, theirs] = [requests(60), requests(60)];
      for (const index of [7, 33]) (mine[index] as UsageRecorded).groupId = 'not an id';
      const first = BigInt(round * 60);
      await Promise.all([consumer.handle(batchOf(mine, { partition: 'a', first })), other.handle(batchOf(theirs.reverse(), { partition: 'b', first }))]);
    }
    expect([await countOf('billing.usage'), await countOf('billing.dead')]).toEqual([20 * 118, 40]);
    expect(await rollupFaults(database.pool)).toEqual([]);
  });
});

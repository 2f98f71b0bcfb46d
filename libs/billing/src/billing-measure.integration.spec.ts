import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { MetricRegistry, RegistryBillingMetrics } from '@tokone/telemetry';
import { readBacklog } from './billing-backlog.js';
import { startBillingDatabase } from './fixtures/billing-database.js';
import type { BillingDatabase } from './fixtures/billing-database.js';
import { NOW_MS, RecordedLog, TEST_SEED, batchOf, usageEvent } from './fixtures/usage-events.js';
import { OutboxSignal } from './outbox-signal.js';
import { LocalPriceBook } from './price-book.js';
import { ensurePriceBook } from './seed-price-book.js';
import { UsageConsumer } from './usage-consumer.js';

let database: BillingDatabase;
let registry: MetricRegistry;
let consumer: UsageConsumer;
let nowMs: number;

beforeAll(async () => {
  database = await startBillingDatabase();
});
afterAll(() => database.close());
beforeEach(async () => {
  await database.clear();
  await ensurePriceBook(database.pool, TEST_SEED, NOW_MS);
  registry = new MetricRegistry(['billing']);
  nowMs = NOW_MS;
  consumer = consumerWith(new LocalPriceBook(database.pool, new RecordedLog()));
});

function consumerWith(prices: LocalPriceBook): UsageConsumer {
  return new UsageConsumer({ pool: database.pool, prices, outbox: new OutboxSignal(), log: new RecordedLog(), metrics: new RegistryBillingMetrics(registry), now: () => nowMs });
}

/** Lines that say more than 0, without those of buckets and of time. */
async function told(): Promise<string[]> {
  return (await registry.text()).split('\n').filter((line) => /^bill_(events|rated_age_seconds_count|rating_difference|alarms|batch_seconds_count)/.test(line) && !line.endsWith(' 0'));
}

const unpriced = () => usageEvent({ priceId: '9/unknown-model', model: 'unknown-model' });

describe('the metrics of rating', () => {
  it('say what became of each record', async () => {
    const [first, second] = [usageEvent(), usageEvent()];
    const batch = batchOf([first, second, unpriced(), structuredClone(first)]);
    batch.records.push({ offset: 4n, event: undefined, raw: 'no event' });
    await consumer.handle(batch);
    expect(await told()).toEqual([
      'bill_events_total{result="posted"} 2',
      'bill_events_total{result="duplicate"} 1',
      'bill_events_total{result="dead"} 1',
      'bill_events_total{result="parked"} 1',
      'bill_batch_seconds_count 1',
      'bill_rated_age_seconds_count 2',
      'bill_alarms_total{kind="usage_parked"} 1',
      'bill_alarms_total{kind="usage_dead"} 1',
    ]);
  });

  it('take what is delivered again for a repetition, and the same id with another content for a conflict', async () => {
    const event = usageEvent();
    await consumer.handle(batchOf([event]));
    await consumer.handle(batchOf([event]));
    await consumer.handle(batchOf([{ ...event, tokens: { ...event.tokens, input: 7 }, grantNanoUsd: 7_000n, holdNanoUsd: 7_000n }], { first: 1n }));
    expect(await told()).toEqual(expect.arrayContaining(['bill_events_total{result="posted"} 1', 'bill_events_total{result="duplicate"} 1', 'bill_events_total{result="conflict"} 1', 'bill_alarms_total{kind="usage_conflict"} 1']));
  });

  it('count requests that the gateway settled with another cost, and times that cannot be true', async () => {
    await consumer.handle(batchOf([usageEvent({ grantNanoUsd: 999n }), usageEvent({ endedAtMs: NOW_MS + 3_600_000 })]));
    expect(await told()).toEqual(expect.arrayContaining(['bill_rating_difference_total 1', 'bill_alarms_total{kind="rating_difference"} 1', 'bill_alarms_total{kind="clock_fault"} 1']));
  });

  it('tell how old the oldest request is that could not be stored, until it is', async () => {
    const away = Object.assign(new LocalPriceBook(database.pool, new RecordedLog()), { snapshots: () => Promise.reject(new Error('away')) });
    const failing = consumerWith(away);
    const batch = batchOf([usageEvent({ endedAtMs: NOW_MS - 4_000 })]);
    await expect(failing.handle(batch)).rejects.toThrow('away');
    nowMs += 6_000;
    expect(failing.lagSeconds).toBe(10);
    await consumer.handle(batch);
    expect(consumer.lagSeconds).toBe(0);
  });
});

describe('the backlog', () => {
  it('is nothing in empty tables', async () => {
    expect(await readBacklog(database.pool)).toEqual({ parked: 0, dead: {}, outboxRows: 0, outboxOldestSeconds: 0 });
  });

  it('is what stands in them', async () => {
    const batch = batchOf([usageEvent(), unpriced(), usageEvent({ id: 'no-uuid' })]);
    batch.records.push({ offset: 3n, event: undefined, raw: 'no event' });
    await consumer.handle(batch);
    await database.pool.query(`INSERT INTO billing.dead (log_partition, log_offset, raw_hash, reason, raw) VALUES ('spool', 9, '\\x00', 'value out of range', '\\x00')`);
    await database.pool.query(`UPDATE billing.outbox SET created_at = now() - interval '90 seconds'`);
    const { outboxOldestSeconds, ...backlog } = await readBacklog(database.pool);
    expect(backlog).toEqual({ parked: 1, dead: { unreadable: 1, bad_id: 1, refused: 1 }, outboxRows: 1 });
    expect(outboxOldestSeconds).toBeGreaterThanOrEqual(90);
    expect(outboxOldestSeconds).toBeLessThan(120);
  });
});

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { RatedCharge } from '@tokone/events';
import type { Pool } from '@tokone/persistence';
import { ChargeOutbox } from './charge-outbox.js';
import { ChargePublication } from './charge-publication.js';
import type { ChargePublicationOptions, ChargePublisher } from './charge-publication.js';
import { startBillingDatabase, until } from './fixtures/billing-database.js';
import type { BillingDatabase } from './fixtures/billing-database.js';
import { NOW_MS, RecordedLog, TEST_SEED, batchOf, usageEvent } from './fixtures/usage-events.js';
import { OutboxSignal } from './outbox-signal.js';
import { ParkedRating } from './parked-rating.js';
import { LocalPriceBook } from './price-book.js';
import { ensurePriceBook } from './seed-price-book.js';
import { UsageConsumer } from './usage-consumer.js';

let database: BillingDatabase;
let log: RecordedLog;
let running: ChargePublication[];

beforeAll(async () => {
  database = await startBillingDatabase();
});
afterAll(async () => {
  await database.close();
});
beforeEach(async () => {
  await database.clear();
  await ensurePriceBook(database.pool, TEST_SEED, NOW_MS);
  log = new RecordedLog();
  running = [];
});
afterEach(async () => {
  await Promise.all(running.map((publication) => publication.stop()));
});

/** Keeps what it stored; `before` decides what a call of its number (from 1) comes to. */
class MemoryTopic implements ChargePublisher {
  readonly stored: RatedCharge[] = [];
  readonly calls: number[] = [];
  atOnce = 0;
  mostAtOnce = 0;

  constructor(private readonly before: (call: number) => Promise<unknown> | void = () => undefined) {}

  async publish(batches: readonly (readonly RatedCharge[])[]): Promise<void> {
    this.calls.push(batches.length);
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.atOnce);
    try {
      await this.before(this.calls.length);
      this.stored.push(...batches.flat());
    } finally {
      this.atOnce--;
    }
  }
}

function publish(publisher: ChargePublisher, { pool = database.pool, ...options }: ChargePublicationOptions & { pool?: Pool } = {}): ChargePublication {
  const publication = new ChargePublication(new ChargeOutbox({ pool, signal: new OutboxSignal(), log, pollMs: 20 }), publisher, options);
  publication.start();
  running.push(publication);
  return publication;
}

function consumerOn(pool: Pool): UsageConsumer {
  return new UsageConsumer({ pool, prices: new LocalPriceBook(pool, log), outbox: new OutboxSignal(), log, now: () => NOW_MS });
}

/** Rates batches of three requests each; returns their ids. */
async function rate(batches: number): Promise<string[]> {
  const consumer = consumerOn(database.pool);
  const events = Array.from({ length: batches * 3 }, () => usageEvent());
  for (let first = 0; first < events.length; first += 3) await consumer.handle(batchOf(events.slice(first, first + 3), { first: BigInt(first) }));
  return events.map(({ id }) => id).sort();
}

async function countOf(sql: string): Promise<number> {
  const { rows } = await database.pool.query<{ count: number }>(`SELECT count(*)::int AS count FROM ${sql}`);
  return rows[0]?.count ?? -1;
}

const idsOf = (charges: readonly RatedCharge[]): string[] => charges.map(({ id }) => id).sort();

describe('publication of charges', () => {
  it('publishes what was committed, as it is stored, and forgets it when it is acknowledged', async () => {
    const expected = await rate(5);
    const topic = new MemoryTopic();
    expect(await publish(topic).publishedSoFar(5_000)).toBe(true);
    expect([idsOf(topic.stored), await countOf('billing.outbox')]).toEqual([expected, 0]);
    const { rows } = await database.pool.query('SELECT id, account_id AS "accountId", rated_nano_usd AS "ratedNanoUsd", charge_nano_usd AS "chargeNanoUsd" FROM billing.usage ORDER BY id');
    expect(topic.stored.toSorted((a, b) => (a.id < b.id ? -1 : 1))).toEqual(rows);
    expect(topic.calls).toEqual([5]);
  });

  it('publishes again what was not acknowledged, until it is', async () => {
    const expected = await rate(4);
    const topic = new MemoryTopic((call) => (call <= 3 ? Promise.reject(new Error('no leader')) : undefined));
    await publish(topic).publishedSoFar(10_000);
    expect(idsOf(topic.stored)).toEqual(expected);
    expect(log.lines.filter(({ message }) => message.startsWith('charges could not be published'))).toHaveLength(3);
  });

  it('holds no transaction beyond the deadline while the log is silent, nor calls it twice at once', async () => {
    const expected = await rate(2);
    let wake = (): void => undefined;
    const asleep = new Promise<void>((resolve) => (wake = resolve));
    const topic = new MemoryTopic((call) => (call === 1 ? asleep : undefined));
    const publication = publish(topic, { publishTimeoutMs: 100 });
    await until(() => log.lines.filter(({ level }) => level === 'warn').length >= 2);
    await until(async () => (await countOf(`pg_stat_activity WHERE state = 'idle in transaction'`)) === 0);
    expect([await countOf('billing.outbox'), await publication.publishedSoFar(50)]).toEqual([2, false]);
    wake();
    expect(await publication.publishedSoFar(10_000)).toBe(true);
    expect([topic.mostAtOnce, [...new Set(idsOf(topic.stored))]]).toEqual([1, expected]);
  });

  it('publishes again when the connection dies between the acknowledgement and the commit', async () => {
    const expected = await rate(1);
    const kill = () => database.pool.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'`);
    const topic = new MemoryTopic((call) => (call === 1 ? kill() : undefined));
    expect(await publish(topic).publishedSoFar(10_000)).toBe(true);
    expect(idsOf(topic.stored)).toEqual([...expected, ...expected].sort());
  });

  it('goes back to whole claims after rows that failed, instead of taking a backlog row by row', async () => {
    await rate(40);
    const topic = new MemoryTopic((call) => (call <= 2 ? Promise.reject(new Error('away')) : undefined));
    await publish(topic, { rowsPerClaim: 16 }).publishedSoFar(10_000);
    expect(topic.calls.slice(0, 7)).toEqual([16, 1, 1, 2, 4, 8, 16]);
  });
});

describe('replicas of billing', () => {
  it('share the rows: one that is slow does not hold up the others', async () => {
    const expected = await rate(12);
    let wake = (): void => undefined;
    const asleep = new Promise<void>((resolve) => (wake = resolve));
    const [slow, quick] = [new MemoryTopic(() => asleep), new MemoryTopic()];
    publish(slow, { rowsPerClaim: 3 });
    await until(() => slow.calls.length === 1);
    const other = publish(quick, { pool: database.anotherPool(), rowsPerClaim: 3 });
    await until(async () => (await countOf('billing.outbox')) === 3);
    expect(await other.publishedSoFar(50)).toBe(false);
    wake();
    expect(await other.publishedSoFar(5_000)).toBe(true);
    expect(idsOf([...slow.stored, ...quick.stored])).toEqual(expected);
  });

  it('rate overlapping batches, rate what was parked, and publish, all at once: each charge stands in the log, with one amount', async () => {
    const pools = [database.pool, database.anotherPool()];
    const events = Array.from({ length: 600 }, (_, index) => usageEvent(index % 5 === 0 ? { priceId: '2/test-model' } : {}));
    // Every seventh call fails after it has stored.
    const topics = pools.map(() => new MemoryTopic());
    for (const [index, pool] of pools.entries()) {
      const topic = topics[index] as MemoryTopic;
      publish({ publish: async (batches) => (await topic.publish(batches), topic.calls.length % 7 === 3 ? Promise.reject(new Error('no answer')) : undefined) }, { pool, rowsPerClaim: 3 });
    }
    const parked = pools.map((pool) => new ParkedRating({ pool, prices: new LocalPriceBook(pool, log), outbox: new OutboxSignal(), log }));
    const rateAll = async (): Promise<void> => void (await Promise.all(parked.map((one) => one.rateAll())));
    for (let first = 0; first < 600; first += 50) {
      const batch = (from: number, to: number) => batchOf(events.slice(from, to), { partition: from === first ? 'a' : 'b', first: BigInt(from) });
      await Promise.all([consumerOn(pools[0] as Pool).handle(batch(first, first + 50)), consumerOn(pools[1] as Pool).handle(batch(Math.max(0, first - 20), first + 40)), rateAll()]);
      if (first === 300) await ensurePriceBook(database.pool, { ...TEST_SEED, origin: 'operator', models: { 'test-model': priceOfTwo() } }, NOW_MS);
    }
    await rateAll();
    expect(await (running[0] as ChargePublication).publishedSoFar(10_000)).toBe(true);
    expect([await countOf('billing.usage'), await countOf('billing.parked'), await countOf('billing.conflict'), await countOf('billing.outbox')]).toEqual([600, 0, 0, 0]);
    const stored = topics.flatMap((topic) => topic.stored);
    const { rows } = await database.pool.query<{ id: string; charge: bigint }>('SELECT id, charge_nano_usd AS charge FROM billing.usage ORDER BY id');
    expect([...new Set(idsOf(stored))]).toEqual(rows.map(({ id }) => id));
    const amounts = new Map(rows.map(({ id, charge }) => [id, charge]));
    expect(stored.filter(({ id, chargeNanoUsd }) => amounts.get(id) !== chargeNanoUsd)).toEqual([]);
    expect(stored.length).toBeGreaterThan(600);
  });
});

/** The test price, twice as dear for output. */
function priceOfTwo(): (typeof TEST_SEED)['models'][string] {
  const price = structuredClone(TEST_SEED.models['test-model']) as (typeof TEST_SEED)['models'][string];
  for (const band of price.tiers.default) band.usdPerMillion.output = '4';
  return price;
}

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Pool, PoolClient } from '@tokone/persistence';
import { ChargeStatements } from './charge-statement.js';
import { writeChargeStatement } from './charge-document.js';
import { startBillingDatabase, until } from './fixtures/billing-database.js';
import type { BillingDatabase } from './fixtures/billing-database.js';
import { rollupFaults } from './fixtures/rollup-check.js';
import { ACCOUNT_ID, RecordedLog, TEST_SEED, batchOf, ids, refusedEvent, usageEvent } from './fixtures/usage-events.js';
import { OutboxSignal } from './outbox-signal.js';
import { ParkedRating } from './parked-rating.js';
import { ParkedWaiver } from './parked-waiver.js';
import { LocalPriceBook } from './price-book.js';
import { ensurePriceBook } from './seed-price-book.js';
import { UsageConsumer } from './usage-consumer.js';

const REASON = { by: 'operator', why: 'a defect of the gateway' };

let database: BillingDatabase;
let log: RecordedLog;
let signal: OutboxSignal;
let waiver: ParkedWaiver;
let consumer: UsageConsumer;
let prices: LocalPriceBook;

beforeAll(async () => {
  database = await startBillingDatabase();
});
afterAll(() => database.close());
beforeEach(async () => {
  await database.clear();
  await ensurePriceBook(database.pool, TEST_SEED, Date.now());
  log = new RecordedLog();
  signal = new OutboxSignal();
  prices = new LocalPriceBook(database.pool, log);
  waiver = new ParkedWaiver({ pool: database.pool, outbox: signal, log });
  consumer = new UsageConsumer({ pool: database.pool, prices, outbox: signal, log, now: () => Date.now() });
});

/** Settled at its whole hold; no model gives so much. */
const absurd = (change: Parameters<typeof usageEvent>[0] = {}) =>
  usageEvent({ tokens: { output: 2 ** 45 }, endedAtMs: Date.now() - 1_000, startedAtMs: Date.now() - 2_000, ...change });

async function select(sql: string): Promise<Record<string, unknown>[]> {
  return (await database.pool.query<Record<string, unknown>>(sql)).rows;
}
/** A pool whose connections do something else before they send what begins like that. */
function meddlingPool(statement: RegExp, meddle: () => Promise<void>): Pool {
  const pool = database.anotherPool();
  const connect = pool.connect.bind(pool) as () => Promise<PoolClient>;
  const meddlingConnect = async (): Promise<PoolClient> => {
    const client = await connect();
    const query = client.query.bind(client) as (...args: unknown[]) => Promise<unknown>;
    const meddlingQuery = async (...args: unknown[]): Promise<unknown> => {
      if (typeof args[0] === 'string' && statement.test(args[0])) await meddle();
      return query(...args);
    };
    return Object.assign(client, { query: meddlingQuery });
  };
  return Object.assign(pool, { connect: meddlingConnect });
}
const published = async () => (await select('SELECT charges FROM billing.outbox ORDER BY id')).flatMap(({ charges }) => charges as object[]);
const count = async (table: string): Promise<unknown> => (await select(`SELECT count(*)::int AS rows FROM billing.${table}`))[0]?.['rows'];

describe('a parked request that is waived', () => {
  it('costs nothing, and its charge of 0 is published, because a posting is what ends its hold', async () => {
    const event = absurd();
    await consumer.handle(batchOf([event]));
    const given = signal.given;
    expect(await waiver.waive(event.id, REASON)).toBe('waived');
    expect(signal.given).toBe(given + 1);
    expect(await published()).toEqual([{ id: event.id, accountId: ACCOUNT_ID, ratedNanoUsd: '0', chargeNanoUsd: '0' }]);
    expect(await select('SELECT id, output_tokens, rated_nano_usd, charge_nano_usd, odd FROM billing.usage')).toEqual([{ id: event.id, output_tokens: 0n, rated_nano_usd: 0n, charge_nano_usd: 0n, odd: true }]);
    expect([await count('parked'), await rollupFaults(database.pool)]).toEqual([0, []]);
    await expect(database.pool.query('DELETE FROM billing.waived')).rejects.toThrow();
  });

  it('is explained, with who decided and why, and its record is kept as it came', async () => {
    const event = absurd();
    await consumer.handle(batchOf([event], { first: 7n }));
    const [parked] = await select('SELECT id, content_hash, reason, detail, raw, log_partition, log_offset, parked_at FROM billing.parked');
    await waiver.waive(event.id, REASON);
    expect(await select('SELECT id, content_hash, reason, detail, raw, log_partition, log_offset, parked_at FROM billing.waived')).toEqual([parked]);
    const statement = await new ChargeStatements(database.pool, prices).explainCharge(event.id);
    const waived = { reason: 'absurd_count', detail: `output: ${2 ** 45}`, ...REASON };
    expect(statement).toMatchObject({ state: 'rated', chargeNanoUsd: 0n, recomputed: true, waived });
    expect(statement && writeChargeStatement(statement)).toMatchObject({ charge: '0.00', waived: { ...waived, at: expect.stringMatching(/^\d{4}-.*Z$/) } });
  });

  it('is waived once, however often and by how many it is asked for', async () => {
    const event = absurd();
    await consumer.handle(batchOf([event]));
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => waiver.waive(event.id, REASON)));
    expect(outcomes.toSorted()).toEqual(['waived', ...Array.from({ length: 7 }, () => 'waived_before')]);
    expect([await count('usage'), await count('waived'), (await published()).length]).toEqual([1, 1, 1]);
  });

  it('does not come back with a redelivery', async () => {
    const event = absurd();
    await consumer.handle(batchOf([event]));
    await waiver.waive(event.id, REASON);
    await consumer.handle(batchOf([event]));
    expect([await count('parked'), await count('conflict'), (await published()).length]).toEqual([0, 0, 1]);
  });

  it('may also be one that waits for a price: then none is applied any more', async () => {
    const event = absurd({ tokens: { input: 1_000 }, units: { maps: 1 } });
    await consumer.handle(batchOf([event]));
    await waiver.waive(event.id, REASON);
    const models = { 'test-model': { ...TEST_SEED.models['test-model'], unitUsd: { maps: '0.01' } } } as never;
    await ensurePriceBook(database.pool, { ...TEST_SEED, origin: 'operator', models }, Date.now());
    const rating = new ParkedRating({ pool: database.pool, prices, outbox: signal, log: new RecordedLog() });
    expect(await rating.rateAll()).toBe(0);
    expect(await published()).toMatchObject([{ chargeNanoUsd: '0' }]);
  });

  it('publishes nothing when it was refused: nothing is held for it', async () => {
    const event = refusedEvent({ tokens: { ...usageEvent().tokens }, endedAtMs: Date.now() - 1_000, startedAtMs: Date.now() - 2_000 });
    await consumer.handle(batchOf([event]));
    expect(await waiver.waive(event.id, REASON)).toBe('waived');
    expect([await published(), await count('usage')]).toEqual([[], 1]);
  });
});

describe('other contents of an id', () => {
  const twinOf = (event: ReturnType<typeof absurd>) => ({ ...event, tokens: { ...event.tokens, output: 2 ** 46 } });

  it('are conflicts, with an alarm, and can be waived no more', async () => {
    const event = absurd();
    await consumer.handle(batchOf([event]));
    await consumer.handle(batchOf([twinOf(event)], { first: 1n }));
    expect(await count('parked')).toBe(2);
    expect(await waiver.waive(event.id, REASON)).toBe('waived');
    expect([await count('parked'), await count('waived'), await count('conflict'), await count('usage')]).toEqual([0, 1, 1, 1]);
    expect(log.alarms().at(-1)).toContain('another content');
  });

  it('are conflicts too when they come after the waiver, or after a rating', async () => {
    const [waived, rated] = [absurd(), usageEvent({ endedAtMs: Date.now() - 1_000, startedAtMs: Date.now() - 2_000 })];
    await consumer.handle(batchOf([waived, rated]));
    await waiver.waive(waived.id, REASON);
    log.lines.length = 0;
    await consumer.handle(batchOf([twinOf(waived), twinOf(rated)], { first: 2n }));
    expect([await count('parked'), await count('conflict'), await count('usage')]).toEqual([0, 2, 2]);
    expect(log.alarms()).toEqual(Array.from({ length: 2 }, () => 'an id that is rated came again with another content'));
  });

  it('stay parked when they come in the middle of a waiver, and are a conflict at the next', async () => {
    const event = absurd();
    await consumer.handle(batchOf([event]));
    const meddling = meddlingPool(/^DELETE FROM billing.parked/, () => consumer.handle(batchOf([twinOf(event)], { first: 1n })));
    expect(await new ParkedWaiver({ pool: meddling, outbox: signal, log }).waive(event.id, REASON)).toBe('waived');
    expect([await count('parked'), await count('conflict')]).toEqual([1, 0]);
    expect(await waiver.waive(event.id, REASON)).toBe('waived_before');
    expect([await count('parked'), await count('conflict'), await count('waived'), (await published()).length]).toEqual([0, 1, 1, 1]);
  });

  it('the same again, handed over while a waiver commits, is not left parked', async () => {
    const event = absurd();
    await consumer.handle(batchOf([event]));
    let again: Promise<void> | undefined;
    // It waits for the parked row that is being deleted.
    const meddling = meddlingPool(/^COMMIT/, async () => {
      again = consumer.handle(batchOf([event]));
      await until(async () => (await select("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'")).length > 0);
    });
    expect(await new ParkedWaiver({ pool: meddling, outbox: signal, log }).waive(event.id, REASON)).toBe('waived');
    await again;
    expect([await count('parked'), await count('conflict'), await count('usage'), (await published()).length]).toEqual([0, 0, 1, 1]);
  });
});

describe('what cannot be waived', () => {
  it('is a record that was damaged: it stays, and nothing is charged', async () => {
    const event = absurd();
    await consumer.handle(batchOf([event]));
    await database.pool.query("UPDATE billing.parked SET raw = 'x'");
    expect(await waiver.waive(event.id, REASON)).toBe('unreadable');
    expect([await count('parked'), await count('usage'), await count('waived')]).toEqual([1, 0, 0]);
  });

  it('is a request that is rated, or that billing has never seen', async () => {
    const event = usageEvent({ endedAtMs: Date.now() - 1_000, startedAtMs: Date.now() - 2_000 });
    await consumer.handle(batchOf([event]));
    expect(await waiver.waive(event.id, REASON)).toBe('rated');
    expect(await waiver.waive(ids.next(), REASON)).toBe('unknown');
    expect(await select('SELECT charge_nano_usd FROM billing.usage')).toEqual([{ charge_nano_usd: 1_000_000n }]);
    expect(await count('waived')).toBe(0);
  });
});

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ChargeStatements } from './charge-statement.js';
import { writeChargeStatement } from './charge-document.js';
import { startBillingDatabase } from './fixtures/billing-database.js';
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
  const log = new RecordedLog();
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

describe('what cannot be waived', () => {
  it('is a request that is rated, or that billing has never seen', async () => {
    const event = usageEvent({ endedAtMs: Date.now() - 1_000, startedAtMs: Date.now() - 2_000 });
    await consumer.handle(batchOf([event]));
    expect(await waiver.waive(event.id, REASON)).toBe('rated');
    expect(await waiver.waive(ids.next(), REASON)).toBe('unknown');
    expect(await select('SELECT charge_nano_usd FROM billing.usage')).toEqual([{ charge_nano_usd: 1_000_000n }]);
    expect(await count('waived')).toBe(0);
  });

  it('is the second of two contents of one id: it is a conflict', async () => {
    const [event] = [absurd()];
    await consumer.handle(batchOf([event]));
    await consumer.handle(batchOf([{ ...event, tokens: { ...event.tokens, output: 2 ** 46 } }], { first: 1n }));
    expect(await count('parked')).toBe(2);
    expect(await waiver.waive(event.id, REASON)).toBe('waived');
    expect([await count('parked'), await count('waived'), await count('conflict'), await count('usage')]).toEqual([0, 1, 1, 1]);
  });
});

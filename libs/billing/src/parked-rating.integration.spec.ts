import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { openPool } from '@tokone/persistence';
import type { Pool } from '@tokone/persistence';
import { Billing } from './billing.js';
import { startBillingDatabase, until } from './fixtures/billing-database.js';
import type { BillingDatabase } from './fixtures/billing-database.js';
import { rollupFaults } from './fixtures/rollup-check.js';
import { ACCOUNT_ID, MemoryEventLog, NOW_MS, RecordedLog, TEST_SEED, batchOf, usageEvent } from './fixtures/usage-events.js';
import { OutboxSignal } from './outbox-signal.js';
import { ParkedRating } from './parked-rating.js';
import { LocalPriceBook } from './price-book.js';
import { ensurePriceBook } from './seed-price-book.js';
import { UsageConsumer } from './usage-consumer.js';

let database: BillingDatabase;
let log: RecordedLog;
let signal: OutboxSignal;
let rating: ParkedRating;
let consumer: UsageConsumer;

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
  signal = new OutboxSignal();
  rating = ratingOn();
  consumer = new UsageConsumer({ pool: database.pool, prices: new LocalPriceBook(database.pool, log), outbox: signal, log, now: () => Date.now() });
});
afterEach(async () => {
  await rating.stop();
});

function ratingOn(pool = database.pool): ParkedRating {
  return new ParkedRating({ pool, prices: new LocalPriceBook(pool, log), outbox: signal, log, intervalMs: 20 });
}

/** Version `2/test-model`: a map costs USD 0.01, and a token of input twice what it did. */
function statePrices(unitUsd: Record<string, string> = { maps: '0.01' }, input = '2'): Promise<number> {
  const tiers = { default: [{ aboveInputTokens: 0, usdPerMillion: { input, output: '2' } }] };
  const model = { platform: 'openai', maxInputTokens: 100_000, maxOutputTokens: 10_000, tiers, unitUsd } as const;
  return ensurePriceBook(database.pool, { ...TEST_SEED, origin: 'operator', models: { 'test-model': model } }, NOW_MS);
}

/** 1,000 tokens of input and a map, which has no price in version 1: settled at its whole hold. */
const unpriced = (change: Parameters<typeof usageEvent>[0] = {}) =>
  usageEvent({ units: { maps: 1 }, holdNanoUsd: 50_000_000n, grantNanoUsd: 50_000_000n, endedAtMs: Date.now() - 1_000, startedAtMs: Date.now() - 2_000, ...change });

async function select(sql: string): Promise<Record<string, unknown>[]> {
  return (await database.pool.query<Record<string, unknown>>(sql)).rows;
}
const usage = () => select('SELECT id, price_id, rated_nano_usd, charge_nano_usd FROM billing.usage ORDER BY id');
const parkedIds = async () => (await select('SELECT id FROM billing.parked ORDER BY id')).map(({ id }) => id);
const published = async () => (await select('SELECT charges FROM billing.outbox ORDER BY id')).flatMap(({ charges }) => charges as { id: string }[]);

describe('an event that is parked for want of a price', () => {
  it('stays parked while there is none', async () => {
    const event = unpriced();
    await consumer.handle(batchOf([event]));
    expect(await rating.rateAll()).toBe(0);
    await statePrices({ other: '1' });
    expect(await rating.rateAll()).toBe(0);
    expect([await parkedIds(), await usage(), await published()]).toEqual([[event.id], [], []]);
  });

  it('is charged at the first later price that has all it used, and leaves the parked ones', async () => {
    const event = unpriced();
    await consumer.handle(batchOf([event]));
    await statePrices({ other: '1' });
    await statePrices();
    await statePrices({ maps: '9' });
    const given = signal.given;
    expect(await rating.rateAll()).toBe(1);
    expect(await usage()).toEqual([{ id: event.id, price_id: '3/test-model', rated_nano_usd: 12_000_000n, charge_nano_usd: 12_000_000n }]);
    expect(await published()).toEqual([{ id: event.id, accountId: ACCOUNT_ID, ratedNanoUsd: '12000000', chargeNanoUsd: '12000000' }]);
    expect([await parkedIds(), signal.given, await rollupFaults(database.pool)]).toEqual([[], given + 1, []]);
  });

  it('carries on the trace of its request', async () => {
    const event = unpriced({ traceparent: '00-019ab1c2000070008000000000000001-8000000000000001-01' });
    await consumer.handle(batchOf([event, unpriced()]));
    await statePrices();
    expect(await rating.rateAll()).toBe(2);
    expect((await published()).map(({ id, ...charge }) => [id === event.id, 'traceparent' in charge && charge.traceparent])).toEqual(expect.arrayContaining([[true, event.traceparent], [false, false]]));
  });

  it('is charged at the price that it names, when that one comes to exist', async () => {
    await consumer.handle(batchOf([unpriced({ priceId: '2/test-model' })]));
    await statePrices();
    await statePrices({ maps: '9' });
    await rating.rateAll();
    expect(await usage()).toMatchObject([{ price_id: '2/test-model', rated_nano_usd: 12_000_000n }]);
  });

  it('is charged at most its grant', async () => {
    await consumer.handle(batchOf([unpriced({ holdNanoUsd: 5_000n, grantNanoUsd: 5_000n })]));
    await statePrices();
    await rating.rateAll();
    expect(await published()).toMatchObject([{ ratedNanoUsd: '12000000', chargeNanoUsd: '5000' }]);
    expect(log.alarms().filter((alarm) => alarm.includes('differently'))).toEqual([]);
  });

  it('is published when it turns out to cost nothing, because a posting is what ends its hold', async () => {
    const event = unpriced();
    await consumer.handle(batchOf([event]));
    await statePrices({ maps: '0' }, '0');
    await rating.rateAll();
    expect(await published()).toMatchObject([{ id: event.id, ratedNanoUsd: '0', chargeNanoUsd: '0' }]);
  });

  it('is charged though it has waited longer than an event may be on its way', async () => {
    const event = unpriced();
    await consumer.handle(batchOf([event]));
    await database.pool.query(`UPDATE billing.parked SET parked_at = parked_at - interval '90 days',
      raw = convert_to(jsonb_set(convert_from(raw, 'UTF8')::jsonb, '{endedAtMs}', to_jsonb(${event.endedAtMs} - 90 * 86400000::bigint))::text, 'UTF8')`);
    await statePrices();
    expect(await rating.rateAll()).toBe(1);
    expect(await select('SELECT odd FROM billing.usage')).toEqual([{ odd: false }]);
  });

  it('is charged when it ended in the future, as one of the time when it was parked, marked odd, with an alarm', async () => {
    const event = unpriced({ endedAtMs: Date.now() + 900 * 86_400_000 });
    await consumer.handle(batchOf([event]));
    const parked = await select('SELECT parked_at FROM billing.parked');
    await statePrices();
    expect(await rating.rateAll()).toBe(1);
    expect(await select('SELECT odd, ended_at AS parked_at FROM billing.usage')).toEqual([{ odd: true, ...parked[0] }]);
    expect(log.lines.filter(({ level }) => level === 'error').at(-1)).toMatchObject({ fields: { requestId: event.id, endedAtMs: event.endedAtMs, count: 1 } });
  });

  it('stays parked when it names no version of the price book', async () => {
    await consumer.handle(batchOf([unpriced({ priceId: null }), unpriced({ priceId: 'no/such' })]));
    await statePrices();
    expect(await rating.rateAll()).toBe(0);
    expect(await parkedIds()).toHaveLength(2);
  });

  it('stays parked when it is parked for another reason', async () => {
    await consumer.handle(batchOf([unpriced({ tokens: { input: 2 ** 41 } })]));
    await statePrices();
    expect(await rating.rateAll()).toBe(0);
    expect(await parkedIds()).toHaveLength(1);
  });
});

describe('never twice', () => {
  it('when the event is delivered again before and after', async () => {
    const event = unpriced();
    const batch = batchOf([event]);
    for (let time = 0; time < 2; time++) await consumer.handle(batch);
    await statePrices();
    expect([await rating.rateAll(), await rating.rateAll()]).toEqual([1, 0]);
    await consumer.handle(batch);
    expect([await parkedIds(), (await published()).length, (await usage()).length]).toEqual([[], 1, 1]);
    expect(await select('SELECT id FROM billing.conflict')).toEqual([]);
  });

  it('when several processes look at once, while the events are delivered again', async () => {
    const events = Array.from({ length: 450 }, () => unpriced());
    await consumer.handle(batchOf(events));
    await statePrices();
    const others = [ratingOn(database.anotherPool()), ratingOn(database.anotherPool())];
    const looks = [rating, ...others].map((one) => one.rateAll());
    const redelivered = (async () => {
      for (let first = 0; first < 450; first += 50) await consumer.handle(batchOf(events.slice(first, first + 50), { partition: 'again', first: BigInt(first) }));
    })();
    const charged = (await Promise.all(looks)).reduce((sum, count) => sum + count, 0);
    await redelivered;
    await ratingOn().rateAll();
    expect([charged, (await usage()).length, (await published()).length, await parkedIds()]).toEqual([450, 450, 450, []]);
    expect(new Set((await published()).map(({ id }) => id)).size).toBe(450);
    expect([await rollupFaults(database.pool), await select('SELECT id FROM billing.conflict')]).toEqual([[], []]);
    expect(await select('SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()')).toEqual([{ deadlocks: 0n }]);
  });

  it('when the id was parked with two contents: one is charged, the other is a conflict', async () => {
    const event = unpriced();
    await consumer.handle(batchOf([event, { ...event, requestBytes: 1 }]));
    expect(await parkedIds()).toHaveLength(2);
    await statePrices();
    expect(await rating.rateAll()).toBe(1);
    expect([await parkedIds(), (await published()).length, (await select('SELECT id FROM billing.conflict')).length]).toEqual([[], 1, 1]);
    expect(log.alarms()).toContain('a parked event has the id of a rated one and another content');
  });

  it('and not at all when a person takes it out of the parked ones in the meantime', async () => {
    await consumer.handle(batchOf([unpriced()]));
    await statePrices();
    const holder = await database.anotherPool().connect();
    await holder.query('BEGIN; DELETE FROM billing.parked');
    const look = rating.rateAll();
    // Asked outside of the holder's transaction, which sees the activity as it was when it first looked.
    await until(async () => (await database.pool.query(`SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%billing.parked%'`)).rowCount === 1);
    await holder.query('COMMIT');
    holder.release();
    expect([await look, await usage(), await published()]).toEqual([0, [], []]);
  });

  it('keeps all of it parked when the charge cannot be committed', async () => {
    await consumer.handle(batchOf([unpriced()]));
    await statePrices();
    await database.pool.query('ALTER TABLE billing.outbox RENAME TO outbox_away');
    await expect(rating.rateAll()).rejects.toThrow('outbox');
    await database.pool.query('ALTER TABLE billing.outbox_away RENAME TO outbox');
    expect([(await parkedIds()).length, await usage()]).toEqual([1, []]);
    expect(await rating.rateAll()).toBe(1);
  });
});

describe('a row that cannot be stored or read', () => {
  it('stays parked with an alarm and does not hold up the others', async () => {
    // The database's JSON cannot hold NUL, and the unit needs no price because there is none of it.
    const events = Array.from({ length: 5 }, (_, index) => unpriced(index === 3 ? { units: { maps: 1, '\0': 0 } } : {}));
    await consumer.handle(batchOf(events));
    await database.pool.query(`UPDATE billing.parked SET raw = '{}' WHERE id = $1`, [events[1]?.id]);
    await statePrices();
    expect(await rating.rateAll()).toBe(3);
    expect(await parkedIds()).toEqual([events[1]?.id, events[3]?.id]);
    expect(log.alarms()).toEqual(expect.arrayContaining(['a parked event can no longer be read', 'a parked event has a price now, but cannot be stored']));
  });
});

describe('when it happens', () => {
  it('looks by itself, and finds what is parked, and what gets a price, after it has begun', async () => {
    await rating.start();
    const [early, late] = [unpriced(), unpriced()];
    await consumer.handle(batchOf([early]));
    await statePrices();
    await until(async () => (await usage()).length === 1);
    await consumer.handle(batchOf([late], { first: 1n }));
    await until(async () => (await usage()).length === 2);
    expect(await parkedIds()).toEqual([]);
  });

  it('goes on after a look that failed', async () => {
    await consumer.handle(batchOf([unpriced()]));
    await database.pool.query('ALTER TABLE billing.parked RENAME TO parked_away');
    await rating.start();
    expect(log.lines.map(({ level }) => level)).toContain('warn');
    await database.pool.query('ALTER TABLE billing.parked_away RENAME TO parked');
    await statePrices();
    await until(async () => (await usage()).length === 1);
  });

  it('is done before anything is rated, at the start of billing', async () => {
    const event = unpriced();
    await consumer.handle(batchOf([event]));
    await statePrices();
    const pools = [1, 2].map(() => openPool({ url: database.url, poolSize: 2, statementTimeoutMs: 10_000 })) as [Pool, Pool];
    const billing = new Billing({ databaseUrl: database.url, log, now: () => Date.now() }, ...pools);
    await billing.startRating(new MemoryEventLog());
    expect((await usage()).map(({ id }) => id)).toEqual([event.id]);
    await billing.stop();
  });
});

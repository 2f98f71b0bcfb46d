import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { UsageRecorded } from '@tokone/events';
import type { LogBatch } from '@tokone/messaging';
import { DeadLimit, TooManyDeadError, deadLimitsOf } from './dead-limit.js';
import { startBillingDatabase } from './fixtures/billing-database.js';
import type { BillingDatabase } from './fixtures/billing-database.js';
import { NOW_MS, RecordedLog, TEST_SEED, batchOf, usageEvent } from './fixtures/usage-events.js';
import { OutboxSignal } from './outbox-signal.js';
import { LocalPriceBook } from './price-book.js';
import { ensurePriceBook } from './seed-price-book.js';
import { UsageConsumer } from './usage-consumer.js';

let database: BillingDatabase;
let log: RecordedLog;
let clock: { nowMs: number };
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
  clock = { nowMs: NOW_MS };
  consumer = consumerWith();
});

function consumerWith(perMinute = 20): UsageConsumer {
  const now = () => clock.nowMs;
  const { pool } = database;
  return new UsageConsumer({ pool, prices: new LocalPriceBook(pool, log), outbox: new OutboxSignal(), log, now, deadLimit: new DeadLimit(now, deadLimitsOf(perMinute)) });
}

/** A batch of `size` records of which `unreadable` cannot be read and `refused` are refused by the database. */
function batchWith({ size = 60, unreadable = 0, refused = 0, first = 0n }: { size?: number; unreadable?: number; refused?: number; first?: bigint }): LogBatch {
  const events: UsageRecorded[] = Array.from({ length: size }, (_, index) => usageEvent(index >= size - refused ? { keyId: 'not an id' } : {}));
  const batch = batchOf(events, { first });
  for (const record of batch.records.slice(0, unreadable)) Object.assign(record, { event: undefined, raw: `unreadable ${record.offset}` });
  return batch;
}

async function state(): Promise<unknown[]> {
  const { rows } = await database.pool.query<Record<string, unknown>>(
    `SELECT (SELECT count(*) FROM billing.usage)::int AS usage, (SELECT count(*) FROM billing.dead)::int AS dead, (SELECT coalesce(sum(json_array_length(charges)), 0) FROM billing.outbox)::int AS charges, (SELECT max(next_offset) FROM billing.log_cursor) AS cursor`,
  );
  return [rows[0]?.['usage'], rows[0]?.['dead'], rows[0]?.['charges'], rows[0]?.['cursor']];
}

const STANDSTILL = 'rating stands still: too many records are dead';
const standstills = () => log.alarms().filter((alarm) => alarm === STANDSTILL).length;

describe('the line stops', () => {
  it.each([
    ['cannot be read', { unreadable: 6 }],
    ['are refused by the database', { refused: 6 }],
    ['are either', { unreadable: 3, refused: 3 }],
    ['are more than a hundredth of a large batch', { size: 700, unreadable: 8 }],
  ])('when too many records of a batch %s: nothing of it is kept, nothing is lost', async (_what, dead) => {
    const batch = batchWith(dead);
    await expect(consumer.handle(batch)).rejects.toThrow(TooManyDeadError);
    expect(await state()).toEqual([0, 0, 0, null]);
    expect(standstills()).toBe(1);
    await consumerWith(1_000).handle(batch);
    const died = ('unreadable' in dead ? dead.unreadable : 0) + ('refused' in dead ? dead.refused : 0);
    expect(await state()).toEqual([batch.records.length - died, died, batch.records.length - died, BigInt(batch.records.length)]);
  });

  it('says what to do, and raises one alarm for all repetitions within a minute', async () => {
    const batch = batchWith({ unreadable: 6 });
    for (let time = 0; time < 4; time++) await expect(consumer.handle(batch)).rejects.toThrow('raise the limit of dead records');
    expect(standstills()).toBe(1);
    clock.nowMs += 60_000;
    await expect(consumer.handle(batch)).rejects.toThrow(TooManyDeadError);
    expect(standstills()).toBe(2);
  });

  it('when more than twenty die within a minute, and goes on by itself when the minute is over', async () => {
    for (let part = 0n; part < 4n; part++) await consumer.handle(batchWith({ unreadable: 5, first: part * 60n }));
    const next = batchWith({ unreadable: 1, first: 240n });
    await expect(consumer.handle(next)).rejects.toThrow(TooManyDeadError);
    expect(await state()).toEqual([220, 20, 220, 240n]);
    await consumer.handle(batchWith({ size: 1, first: 240n }));
    clock.nowMs += 60_000;
    await consumer.handle(next);
    expect((await state()).slice(0, 2)).toEqual([280, 21]);
  });
});

describe('the line goes on', () => {
  it('past a few dead records', async () => {
    await consumer.handle(batchWith({ unreadable: 3, refused: 2 }));
    expect(await state()).toEqual([55, 5, 55, 60n]);
    expect(standstills()).toBe(0);
  });

  it('past records that were dead before and are delivered again', async () => {
    const batch = batchWith({ unreadable: 30 });
    await consumerWith(1_000).handle(batch);
    for (let time = 0; time < 5; time++) await consumer.handle(batch);
    expect(await state()).toEqual([30, 30, 30, 60n]);
  });

  it('past a batch of which the database refuses everything, also when it comes again', async () => {
    const batch = batchWith({ size: 30, refused: 30 });
    await consumerWith(1_000).handle(batch);
    expect(await state()).toEqual([0, 30, 0, 30n]);
    await consumer.handle(batch);
    expect([await state(), standstills()]).toEqual([[0, 30, 0, 30n], 0]);
  });
});

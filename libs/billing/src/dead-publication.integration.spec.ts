import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { readUsageDead, writeUsageDead } from '@tokone/events';
import type { UsageDead } from '@tokone/events';
import { DeadPublication } from './dead-publication.js';
import { startBillingDatabase, until } from './fixtures/billing-database.js';
import type { BillingDatabase } from './fixtures/billing-database.js';
import { NOW_MS, RecordedLog } from './fixtures/usage-events.js';
import { OutboxSignal } from './outbox-signal.js';
import { LocalPriceBook } from './price-book.js';
import { UsageConsumer } from './usage-consumer.js';

let database: BillingDatabase;
let log: RecordedLog;
let running: DeadPublication[];

beforeAll(async () => {
  database = await startBillingDatabase();
});
afterAll(async () => {
  await database.close();
});
beforeEach(async () => {
  await database.clear();
  log = new RecordedLog();
  running = [];
});
afterEach(async () => {
  await Promise.all(running.map((publication) => publication.stop()));
});

function publish(handle: (records: readonly UsageDead[]) => Promise<void> | void, pool = database.pool): void {
  const publication = new DeadPublication({ pool, signal: new OutboxSignal(), log, pollMs: 20 }, { publish: async (records) => handle(records) });
  publication.start();
  running.push(publication);
}

async function letDie(raws: readonly string[]): Promise<void> {
  const consumer = new UsageConsumer({ pool: database.pool, prices: new LocalPriceBook(database.pool, log), outbox: new OutboxSignal(), log, now: () => NOW_MS });
  for (const [index, raw] of raws.entries())
    await consumer.handle({ partition: 'usage.recorded/3', records: [{ offset: BigInt(index), event: undefined, raw }], nextOffset: BigInt(index + 1) });
}

const left = async (): Promise<number> => (await database.pool.query('SELECT 1 FROM billing.dead WHERE published_at IS NULL')).rowCount ?? -1;

describe('publication of dead records', () => {
  it('publishes each with its place, reason and bytes, in the form of the event, and keeps the row', async () => {
    await letDie(['{"schema":9}\0', 'not json é']);
    const published: UsageDead[] = [];
    publish((records) => void published.push(...records));
    await until(async () => (await left()) === 0);
    expect(published.map((record) => readUsageDead(writeUsageDead(record)))).toEqual(published);
    expect(published.map(({ logPartition, logOffset, reason, raw }) => [logPartition, logOffset, reason, Buffer.from(raw, 'base64').toString()])).toEqual([
      ['usage.recorded/3', '0', 'unreadable', '{"schema":9}\0'],
      ['usage.recorded/3', '1', 'unreadable', 'not json é'],
    ]);
    expect((await database.pool.query('SELECT 1 FROM billing.dead')).rowCount).toBe(2);
  });

  it('publishes again under the same id what was not acknowledged', async () => {
    await letDie(['x']);
    const seen: string[] = [];
    publish((records) => {
      seen.push(...records.map(({ id }) => id));
      if (seen.length < 3) throw new Error('no leader');
    });
    await until(async () => (await left()) === 0);
    expect([seen.length, new Set(seen).size]).toEqual([3, 1]);
  });

  it('cuts a record that no message could carry, and says so', async () => {
    await letDie(['a'.repeat(400_000)]);
    const published: UsageDead[] = [];
    publish((records) => void published.push(...records));
    await until(async () => (await left()) === 0);
    expect(published[0]?.reason).toBe('unreadable (the first 262144 of 400000 bytes)');
    expect(Buffer.from(published[0]?.raw ?? '', 'base64')).toHaveLength(262_144);
  });

  it('is shared by replicas: each record goes through one of them', async () => {
    await letDie(Array.from({ length: 20 }, (_, index) => `record ${index}`));
    const published: UsageDead[] = [];
    for (const pool of [database.pool, database.anotherPool()]) publish((records) => void published.push(...records), pool);
    await until(async () => (await left()) === 0);
    expect(published.map(({ logOffset }) => Number(logOffset)).sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, index) => index));
  });
});

import 'reflect-metadata';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { HttpRatedAudit, MINUTES_AT_ONCE } from '@tokone/billing-client';
import type { RatedAudit } from '@tokone/billing-client';
import type { UsageRecorded } from '@tokone/events';
import { openPool } from '@tokone/persistence';
import { FIRST_ID, LAST_ID, Uuid7Source, uuid7Ms } from '@tokone/protocol';
import { Billing } from './billing.js';
import { startBillingDatabase } from './fixtures/billing-database.js';
import type { BillingDatabase } from './fixtures/billing-database.js';
import { openInternalListener } from './fixtures/internal-listener.js';
import type { InternalListener } from './fixtures/internal-listener.js';
import { NOW_MS, RecordedLog, TEST_SEED, batchOf, ids, recordOf, refusedEvent, usageEvent } from './fixtures/usage-events.js';
import { ensurePriceBook } from './seed-price-book.js';

const ALL = { after: FIRST_ID, upTo: LAST_ID };
const MINUTE_MS = 60_000;
let database: BillingDatabase;
let billing: Billing;
let listener: InternalListener;
let http: RatedAudit;

beforeAll(async () => {
  database = await startBillingDatabase();
  const pools = [1, 2].map(() => openPool({ url: database.url, poolSize: 2, statementTimeoutMs: 10_000 })) as [never, never];
  billing = new Billing({ databaseUrl: database.url, log: new RecordedLog(), now: () => NOW_MS }, ...pools);
  listener = await openInternalListener(billing);
  http = new HttpRatedAudit(listener.client);
});
afterAll(async () => {
  await listener.close();
  await billing.stop();
  await database.close();
});
beforeEach(async () => {
  await database.clear();
  await ensurePriceBook(database.pool, TEST_SEED, NOW_MS);
});

/** The same answer from the tables and over HTTP. */
async function both<Answer>(ask: (audit: RatedAudit) => Promise<Answer>): Promise<Answer> {
  const [local, remote] = [await ask(billing.ratedAudit), await ask(http)];
  expect(remote).toEqual(local);
  return local;
}

const rate = (events: readonly UsageRecorded[], place = {}): Promise<void> => billing.usageConsumer.handle(batchOf(events, place));
const xorOf = (events: readonly UsageRecorded[]): string => events.map(({ id }) => BigInt(`0x${id.replaceAll('-', '')}`)).reduce((sum, bits) => sum ^ bits, 0n).toString(16).padStart(32, '0');

describe('the charges of a range', () => {
  it('are summed, without those of 0, and told one by one', async () => {
    const events = [usageEvent(), usageEvent({ grantNanoUsd: 900_000n }), refusedEvent()];
    await rate(events);
    expect(await both((audit) => audit.chargePage(ALL))).toEqual({ last: undefined, count: 2, ratedNanoUsd: 2_000_000n, chargeNanoUsd: 1_900_000n, fingerprint: expect.stringMatching(/^[01]{128}$/) });
    const facts = await both((audit) => audit.charges(ALL));
    expect(facts.map(({ id, chargeNanoUsd }) => [id, chargeNanoUsd])).toEqual([[events[0]?.id, 1_000_000n], [events[1]?.id, 900_000n]]);
    expect(await both((audit) => audit.chargesOf([events[2]?.id ?? '', ids.next()]))).toEqual([expect.objectContaining({ id: events[2]?.id, ratedNanoUsd: 0n })]);
    expect(await both((audit) => audit.chargePage({ ...ALL, upTo: events[0]?.id ?? '' }))).toMatchObject({ count: 1, ratedNanoUsd: 1_000_000n });
    expect(await both((audit) => audit.chargePage({ after: LAST_ID, upTo: LAST_ID }))).toEqual({ last: undefined, count: 0, ratedNanoUsd: 0n, chargeNanoUsd: 0n, fingerprint: '' });
  });

  it('are a page at most, which says where it ends', async () => {
    // Made in the database: as many through the consumer would take a minute.
    await rate([usageEvent()]);
    const columns = (await database.pool.query<{ names: string }>(`SELECT string_agg(column_name, ', ' ORDER BY ordinal_position) AS names FROM information_schema.columns WHERE table_schema = 'billing' AND table_name = 'usage' AND column_name <> 'id'`)).rows[0]?.names;
    await database.pool.query(`INSERT INTO billing.usage (id, ${columns}) SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, ${columns} FROM billing.usage, generate_series(1, 10005) n`);
    const page = await both((audit) => audit.chargePage(ALL));
    expect(page).toMatchObject({ last: '00000000-0000-7000-8000-000000002710', count: 10_000 });
    expect(await both((audit) => audit.chargePage({ after: page.last ?? '', upTo: LAST_ID }))).toMatchObject({ last: undefined, count: 6 });
  });
});

describe('the requests of a minute', () => {
  it('are those that are rated, parked or dead, each once', async () => {
    const [rated, refused, parked, dead] = [usageEvent(), refusedEvent(), usageEvent({ priceId: 'unknown' }), usageEvent()];
    const raw = `{"schema":99,"id":"${dead.id}","byte":"\u0000"}`;
    const records = [...batchOf([rated, refused, parked, rated]).records, { offset: 4n, event: undefined, raw }, { offset: 5n, event: undefined, raw: 'no id' }];
    await billing.usageConsumer.handle({ partition: 'p', records, nextOffset: 6n });
    const minute = Math.floor(uuid7Ms(rated.id) / MINUTE_MS);
    const [before, found, behind] = await both((audit) => audit.minutes({ from: minute - 1, to: minute + 2 }));
    expect(found).toEqual({ minute, count: 4, idXor: xorOf([rated, refused, parked, dead]) });
    expect([before?.count, behind?.count, before?.idXor]).toEqual([0, 0, '0'.repeat(32)]);
  });

  it('begin and end with it', async () => {
    const minute = NOW_MS / MINUTE_MS;
    const at = (ms: number): UsageRecorded => usageEvent({ id: new Uuid7Source(() => NOW_MS + ms).next() });
    await rate([at(-1), at(0), at(MINUTE_MS - 1), at(MINUTE_MS)]);
    expect((await both((audit) => audit.minutes({ from: minute - 1, to: minute + 2 }))).map(({ count }) => count)).toEqual([1, 2, 1]);
  });

  it('are not asked for more than a few minutes at once', async () => {
    await expect(http.minutes({ from: 0, to: MINUTES_AT_ONCE + 1 })).rejects.toMatchObject({ failure: 'refused', status: 400 });
    await expect(billing.ratedAudit.minutes({ from: 0, to: MINUTES_AT_ONCE + 1 })).rejects.toThrow(RangeError);
  });
});

describe('the records of a partition', () => {
  const counted = async () => (await both((audit) => audit.partitions()))[0];
  const events = (count: number): UsageRecorded[] => Array.from({ length: count }, () => usageEvent());

  it('are counted with the cursor, repetitions and dead ones too', async () => {
    const first = events(3);
    await rate(first, { partition: 'p', first: 10n });
    await billing.usageConsumer.handle({ partition: 'p', records: [recordOf(first[0] as UsageRecorded, 13n), { offset: 14n, event: undefined, raw: '{' }, recordOf(refusedEvent(), 15n)], nextOffset: 16n });
    expect(await counted()).toEqual({ name: 'p', nextOffset: 16n, countedFrom: 10n, countedTo: 16n, records: 6n, rated: 4n, dead: 1n });
  });

  it('are counted once, however often and in whatever parts they come', async () => {
    const all = events(10);
    const part = (from: number, to: number) => rate(all.slice(from, to), { partition: 'p', first: BigInt(from) });
    await part(0, 4);
    await part(0, 4);
    await part(2, 7);
    expect(await counted()).toMatchObject({ nextOffset: 7n, countedTo: 7n, records: 7n, rated: 7n });
    await part(0, 3);
    expect(await counted()).toMatchObject({ nextOffset: 3n, countedTo: 7n, records: 7n });
    await part(3, 10);
    expect(await counted()).toMatchObject({ nextOffset: 10n, countedFrom: 0n, countedTo: 10n, records: 10n, rated: 10n });
  });

  it('are fewer than the offsets when some were passed over, between batches or within one', async () => {
    await rate(events(2), { partition: 'p', first: 0n });
    await rate(events(2), { partition: 'p', first: 5n });
    expect(await counted()).toMatchObject({ countedTo: 7n, records: 4n });
    const [one, other] = events(2) as [UsageRecorded, UsageRecorded];
    const gap = { partition: 'p', records: [recordOf(one, 6n), recordOf(other, 9n)], nextOffset: 10n };
    await billing.usageConsumer.handle(gap);
    await billing.usageConsumer.handle(gap);
    expect(await counted()).toMatchObject({ countedTo: 10n, records: 5n });
  });

  it('are counted when the database refuses some of them, which are dead then', async () => {
    const poison = usageEvent({ model: 'poison' });
    await database.pool.query(`ALTER TABLE billing.usage ADD CONSTRAINT no_poison CHECK (model <> 'poison')`);
    try {
      await rate([...events(2), { ...poison, priceId: '1/test-model' }, ...events(2)], { partition: 'p' });
      expect(await counted()).toMatchObject({ countedTo: 5n, records: 5n, rated: 4n, dead: 1n });
    } finally {
      await database.pool.query('ALTER TABLE billing.usage DROP CONSTRAINT no_poison');
    }
  });

  it('begin to be counted where an older version had read to', async () => {
    await database.pool.query(`INSERT INTO billing.log_cursor (log_partition, next_offset) VALUES ('p', 100)`);
    expect(await counted()).toMatchObject({ countedFrom: 100n, countedTo: 100n, records: 0n });
    await rate(events(3), { partition: 'p', first: 99n });
    expect(await counted()).toMatchObject({ countedFrom: 100n, countedTo: 102n, records: 2n });
  });
});

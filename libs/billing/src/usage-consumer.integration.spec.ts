import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { UsageRecorded } from '@tokone/events';
import type { Pool } from '@tokone/persistence';
import { traceparentOf } from '@tokone/protocol';
import type { Tracing } from '@tokone/telemetry';
import { RecordedSpans } from '@tokone/telemetry/recorded-spans';
import { startBillingDatabase, until } from './fixtures/billing-database.js';
import type { BillingDatabase } from './fixtures/billing-database.js';
import { ACCOUNT_ID, NOW_MS, RecordedLog, TEST_SEED, batchOf, ids, refusedEvent, usageEvent } from './fixtures/usage-events.js';
import { OutboxSignal } from './outbox-signal.js';
import { LocalPriceBook } from './price-book.js';
import { ensurePriceBook } from './seed-price-book.js';
import { UsageConsumer } from './usage-consumer.js';

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
  await ensurePriceBook(database.pool, TEST_SEED, NOW_MS);
  log = new RecordedLog();
  consumer = consumerOn(database.pool);
});

function consumerOn(pool: Pool, tracing?: Tracing): UsageConsumer {
  return new UsageConsumer({ pool, prices: new LocalPriceBook(pool, log), outbox: new OutboxSignal(), log, now: () => NOW_MS, ...(tracing && { tracing }) });
}

async function countOf(table: string): Promise<number> {
  const { rows } = await database.pool.query<{ count: number }>(`SELECT count(*)::int AS count FROM billing.${table}`);
  return rows[0]?.count ?? -1;
}

/** Every charge that would be posted: ids in the outbox, one entry per occurrence. */
async function published(): Promise<{ id: string; chargeNanoUsd: string; ratedNanoUsd: string; accountId: string }[]> {
  const { rows } = await database.pool.query<{ charges: never[] }>('SELECT charges FROM billing.outbox ORDER BY id');
  return rows.flatMap(({ charges }) => charges);
}

function requests(count: number): UsageRecorded[] {
  return Array.from({ length: count }, () => usageEvent());
}

describe('the trace of a request', () => {
  const recorded = (event: UsageRecorded): UsageRecorded => ({ ...event, traceparent: traceparentOf(event.id).replace(/00$/, '01') });

  it('goes on in its charge, below the span that rated it; charges of others say nothing of traces', async () => {
    const tracing = new RecordedSpans();
    const [event, other] = [recorded(usageEvent()), usageEvent()];
    await consumerOn(database.pool, tracing).handle(batchOf([event, other]));
    const [span] = tracing.spans;
    expect(tracing.spans).toEqual([expect.objectContaining({ name: 'rate usage', kind: 'consumer', parent: event.traceparent, failure: undefined, ends: 1 })]);
    const charge = { accountId: ACCOUNT_ID, ratedNanoUsd: '1000000', chargeNanoUsd: '1000000' };
    expect((await published()).sort((a, b) => (a.id < b.id ? -1 : 1))).toEqual([{ id: event.id, ...charge, traceparent: span?.traceparent }, { id: other.id, ...charge }]);
  });

  it('goes on in its charge where billing itself records nothing', async () => {
    const event = recorded(usageEvent());
    await consumer.handle(batchOf([event]));
    expect(await published()).toEqual([expect.objectContaining({ id: event.id, traceparent: event.traceparent })]);
  });
});

describe('exactly once', () => {
  it('charges an id once that comes twice in one batch', async () => {
    const [event, other] = [usageEvent(), usageEvent()];
    await consumer.handle(batchOf([event, other, structuredClone(event)]));
    expect(await countOf('usage')).toBe(2);
    expect((await published()).map(({ id }) => id).sort()).toEqual([event.id, other.id].sort());
    expect(log.alarms()).toEqual([]);
  });

  it('charges once when the same batch comes twice, and leaves no empty outbox row', async () => {
    const batch = batchOf(requests(10));
    await consumer.handle(batch);
    await consumer.handle(batch);
    expect([await countOf('usage'), (await published()).length, await countOf('outbox'), await countOf('conflict')]).toEqual([10, 10, 1, 0]);
  });

  it('charges only the new ids of a batch that overlaps another', async () => {
    const events = requests(10);
    await consumer.handle(batchOf(events.slice(0, 7)));
    await consumer.handle(batchOf(events.slice(3), { first: 3n }));
    const charged = (await published()).map(({ id }) => id);
    expect(charged.sort()).toEqual(events.map(({ id }) => id).sort());
  });

  it('charges once when two consumers work on the same partition at once', async () => {
    const other = consumerOn(database.anotherPool());
    const events = requests(600);
    for (let first = 0; first < 600; first += 60) {
      const batch = batchOf(events.slice(first, first + 60), { first: BigInt(first) });
      await Promise.all([consumer.handle(batch), other.handle(batch)]);
    }
    expect(await countOf('usage')).toBe(600);
    expect(new Set((await published()).map(({ id }) => id)).size).toBe(600);
    expect(await published()).toHaveLength(600);
    expect(await consumer.cursor('spool')).toBe(600n);
    expect(log.alarms()).toEqual([]);
  });

  it('charges once when two consumers get the same ids through different partitions, in opposite order', async () => {
    const other = consumerOn(database.anotherPool());
    const events = requests(600);
    for (let first = 0; first < 600; first += 60) {
      const part = events.slice(first, first + 60);
      await Promise.all([
        consumer.handle(batchOf(part, { partition: 'a', first: BigInt(first) })),
        other.handle(batchOf([...part].reverse(), { partition: 'b', first: BigInt(first) })),
      ]);
    }
    expect(await published()).toHaveLength(600);
    expect([await consumer.cursor('a'), await consumer.cursor('b')]).toEqual([600n, 600n]);
  });

  it('keeps nothing of a batch whose connection dies before the commit, and all of it the next time', async () => {
    const batch = batchOf(requests(5));
    const holder = await database.anotherPool().connect();
    await holder.query(`BEGIN; INSERT INTO billing.log_cursor VALUES ('spool', 0)`);
    const failed = consumer.handle(batch).then(() => 'committed', (error: unknown) => error);
    // The statement has its rows and waits for the cursor: now its server process goes.
    const victim = `SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%INSERT INTO billing.usage%'`;
    // Asked outside of the holder's transaction, which sees the activity as it was when it first looked.
    await until(async () => (await database.pool.query(victim)).rowCount === 1);
    await database.pool.query(`SELECT pg_terminate_backend(pid) FROM (${victim}) waiting`);
    expect(await failed).toBeInstanceOf(Error);
    await holder.query('ROLLBACK');
    holder.release();
    expect([await countOf('usage'), await countOf('outbox'), await consumer.cursor('spool')]).toEqual([0, 0, undefined]);
    await consumer.handle(batch);
    expect([await countOf('usage'), (await published()).length, await consumer.cursor('spool')]).toEqual([5, 5, 5n]);
  });
});

describe('the cursor', () => {
  it('is undefined before the first batch', async () => {
    expect(await consumer.cursor('spool')).toBeUndefined();
  });

  it('moves with a batch that has nothing to rate', async () => {
    await consumer.handle({ partition: 'spool', records: [], nextOffset: 9n });
    expect(await consumer.cursor('spool')).toBe(9n);
  });

  it('goes back with a batch that comes again, as after the log was exchanged: what follows is read once more, and not passed over', async () => {
    await consumer.handle(batchOf(requests(2), { first: 100n }));
    await consumer.handle(batchOf(requests(2), { first: 5n }));
    expect(await consumer.cursor('spool')).toBe(7n);
  });
});

describe('what is published', () => {
  it('is one outbox row per batch, with rated and charged amounts as the ledger reads them', async () => {
    const short = usageEvent({ holdNanoUsd: 300_000n, grantNanoUsd: 300_000n });
    await consumer.handle(batchOf([short, usageEvent()]));
    expect(await countOf('outbox')).toBe(1);
    expect(await published()).toContainEqual({ id: short.id, accountId: ACCOUNT_ID, ratedNanoUsd: '1000000', chargeNanoUsd: '300000' });
  });

  it('has no charges of 0: refusals and requests that used nothing are rows only', async () => {
    await consumer.handle(batchOf([refusedEvent(), usageEvent({ tokens: {}, grantNanoUsd: 0n })]));
    expect([await countOf('usage'), await countOf('outbox')]).toEqual([2, 0]);
  });

  it('has a charge of 0 for what a crash left open undelivered: the run that died may have settled it, which only a posting takes away', async () => {
    const crashed = usageEvent({ tokens: {}, holdNanoUsd: 300_000n, grantNanoUsd: 0n, outcome: 'gateway_crash', errorCode: 'internal_error', status: 500 });
    await consumer.handle(batchOf([crashed, usageEvent({ tokens: {}, grantNanoUsd: 0n })]));
    expect(await published()).toMatchObject([{ id: crashed.id, ratedNanoUsd: '0', chargeNanoUsd: '0' }]);
  });

  it('still has a request that was granted nothing: the ledger books it as a write-off', async () => {
    await consumer.handle(batchOf([usageEvent({ holdNanoUsd: 0n, grantNanoUsd: 0n })]));
    expect(await published()).toMatchObject([{ ratedNanoUsd: '1000000', chargeNanoUsd: '0' }]);
  });
});

describe('what cannot be charged', () => {
  it('keeps an id that comes again with another content as a conflict, raises an alarm, and charges the first', async () => {
    const event = usageEvent();
    await consumer.handle(batchOf([event]));
    await consumer.handle(batchOf([usageEvent({ id: event.id, tokens: { input: 999 } })], { first: 1n }));
    expect(await published()).toMatchObject([{ id: event.id, ratedNanoUsd: '1000000' }]);
    expect(await countOf('conflict')).toBe(1);
    expect(log.alarms()).toContain('an id that is rated came again with another content');
  });

  it('finds a conflict inside one batch, and the first of it is charged', async () => {
    const event = usageEvent();
    await consumer.handle(batchOf([event, usageEvent({ id: event.id, tokens: { input: 999 } })]));
    expect(await published()).toMatchObject([{ id: event.id, ratedNanoUsd: '1000000' }]);
    expect(await countOf('conflict')).toBe(1);
  });

  it('finds a conflict with a row that another consumer is just committing', async () => {
    const other = consumerOn(database.anotherPool());
    const [event, rival] = [usageEvent({ tokens: { input: 1_000 } }), usageEvent({ tokens: { input: 999 } })];
    rival.id = event.id;
    await Promise.all([consumer.handle(batchOf([event], { partition: 'a' })), other.handle(batchOf([rival], { partition: 'b' }))]);
    expect([await countOf('usage'), await countOf('conflict'), (await published()).length]).toEqual([1, 1, 1]);
  });

  it('parks what is unpriced or absurd with its bytes, charges the rest, and moves on', async () => {
    const good = usageEvent();
    const unpriced = usageEvent({ units: { maps: 1 } });
    const batch = batchOf([unpriced, usageEvent({ priceId: '9/gone' }), good, usageEvent({ tokens: { input: 2 ** 41 } })]);
    await consumer.handle(batch);
    await consumer.handle(batch);
    expect((await published()).map(({ id }) => id)).toEqual([good.id]);
    const { rows } = await database.pool.query<{ id: string; reason: string; raw: Buffer }>('SELECT id, reason, raw FROM billing.parked');
    expect(rows.map(({ reason }) => reason).sort()).toEqual(['absurd_count', 'no_price', 'unpriced']);
    expect(rows.find(({ id }) => id === unpriced.id)?.raw.toString()).toBe(batch.records[0]?.raw);
    expect(await consumer.cursor('spool')).toBe(4n);
  });

  it('does not park what was rated in its time and is delivered again after it', async () => {
    const event = usageEvent();
    await consumer.handle(batchOf([event]));
    const later = new UsageConsumer({
      pool: database.pool,
      prices: new LocalPriceBook(database.pool, log),
      outbox: new OutboxSignal(),
      log,
      now: () => NOW_MS + 90 * 86_400_000,
    });
    await later.handle(batchOf([event]));
    expect([await countOf('parked'), log.alarms()]).toEqual([0, []]);
  });

  it.each([
    ['ended in the future as one of now', NOW_MS + 86_400_000, NOW_MS],
    ['ended too long ago to be true as what it says', NOW_MS - 36 * 86_400_000, NOW_MS - 36 * 86_400_000],
  ])('charges a request that %s, once, marked odd, with an alarm that names it', async (_case, endedAtMs, storedAtMs) => {
    const event = usageEvent({ startedAtMs: endedAtMs - 2_000, firstByteAtMs: endedAtMs - 1_000, endedAtMs });
    await consumer.handle(batchOf([event, usageEvent()]));
    await consumer.handle(batchOf([event]));
    expect((await published()).find(({ id }) => id === event.id)).toMatchObject({ chargeNanoUsd: '1000000' });
    const { rows } = await database.pool.query('SELECT odd, ended_at, charge_nano_usd FROM billing.usage WHERE id = $1', [event.id]);
    expect(rows).toEqual([{ odd: true, ended_at: new Date(storedAtMs), charge_nano_usd: 1_000_000n }]);
    expect([await countOf('usage'), await countOf('parked'), await countOf('conflict')]).toEqual([2, 0, 0]);
    expect(log.lines.filter(({ level }) => level === 'error')).toMatchObject([{ fields: { requestId: event.id, endedAtMs, seenAtMs: NOW_MS, count: 1 } }]);
  });

  it('keeps an empty record, and one that is no text, with their bytes, and moves on', async () => {
    const batch = batchOf([usageEvent()]);
    batch.records.push({ offset: 1n, event: undefined, raw: '' }, { offset: 2n, event: undefined, raw: '\0\uFFFD', bytes: Buffer.from('00fffe', 'hex') });
    batch.nextOffset = 3n;
    await consumer.handle(batch);
    await consumer.handle({ ...batch, records: batch.records.slice(1, 2) });
    const { rows } = await database.pool.query<{ raw: Buffer }>('SELECT raw FROM billing.dead ORDER BY log_offset');
    expect(rows.map(({ raw }) => raw.toString('hex'))).toEqual(['', '00fffe']);
    expect([await countOf('usage'), await consumer.cursor('spool')]).toEqual([1, 3n]);
  });

  it('keeps a record that cannot be read, with its bytes, and moves on', async () => {
    const good = usageEvent();
    const batch = batchOf([good]);
    batch.records.push({ offset: 1n, event: undefined, raw: '{"schema":2}\0' });
    batch.nextOffset = 2n;
    await consumer.handle(batch);
    await consumer.handle(batch);
    const { rows } = await database.pool.query<{ raw: Buffer; reason: string }>('SELECT raw, reason FROM billing.dead');
    expect(rows).toEqual([{ raw: Buffer.from('{"schema":2}\0'), reason: 'unreadable' }]);
    expect([await countOf('usage'), await consumer.cursor('spool')]).toEqual([1, 2n]);
  });

  it('finds the records that the database refuses, and charges all others of the batch', async () => {
    const events = requests(40);
    for (const index of [0, 17, 39]) (events[index] as UsageRecorded).keyId = 'not an id';
    await consumer.handle(batchOf(events));
    const { rows } = await database.pool.query<{ log_offset: bigint }>('SELECT log_offset FROM billing.dead ORDER BY log_offset');
    expect(rows.map(({ log_offset }) => log_offset)).toEqual([0n, 17n, 39n]);
    expect([await countOf('usage'), (await published()).length, await consumer.cursor('spool')]).toEqual([37, 37, 40n]);
  });

  it('stops the line, and keeps nothing, when the database refuses too many', async () => {
    const events = requests(60);
    for (const event of events.slice(10, 40)) event.keyId = 'not an id';
    await expect(consumer.handle(batchOf(events))).rejects.toThrow('too many records');
    expect([await countOf('usage'), await countOf('dead'), await consumer.cursor('spool')]).toEqual([0, 0, undefined]);
  });

  it('throws when the failure is not of a record, so that the log keeps the batch', async () => {
    await database.pool.query('ALTER TABLE billing.outbox RENAME TO outbox_away');
    await expect(consumer.handle(batchOf(requests(2)))).rejects.toThrow('outbox');
    await database.pool.query('ALTER TABLE billing.outbox_away RENAME TO outbox');
    expect([await countOf('usage'), await countOf('dead')]).toEqual([0, 0]);
  });

  it('raises an alarm when the gateway settled at another cost', async () => {
    await consumer.handle(batchOf([usageEvent({ grantNanoUsd: 900_000n })]));
    expect(log.alarms()).toEqual(['gateway and billing rate a request differently']);
  });
});

describe('the rows', () => {
  it('hold any text as it came, but for NUL', async () => {
    const text = `a"b\\c,{}'é\n\u{1F600}NULL`;
    const event = usageEvent({ model: text, upstreamRequestId: 'NULL', rawUsage: `${text}\0`, errorCode: '' });
    await consumer.handle(batchOf([event]));
    const { rows } = await database.pool.query('SELECT model, upstream_request_id, raw_usage, error_code, service_tier FROM billing.usage');
    expect(rows).toEqual([{ model: text, upstream_request_id: 'NULL', raw_usage: `${text}\uFFFD`, error_code: '', service_tier: null }]);
  });

  it('hold every number and time of the event', async () => {
    const tokens = { input: 1, cacheRead: 2, cacheWrite5m: 3, cacheWrite1h: 4, inputAudio: 5, output: 6, reasoning: 7 };
    await consumer.handle(batchOf([usageEvent({ tokens, firstByteAtMs: NOW_MS - 1_499, grantNanoUsd: 5n })]));
    const { rows } = await database.pool.query(`SELECT * FROM billing.usage`);
    expect(rows[0]).toMatchObject({
      input_tokens: 1n, cache_read_tokens: 2n, cache_write_5m_tokens: 3n, cache_write_1h_tokens: 4n, input_audio_tokens: 5n,
      output_tokens: 6n, reasoning_tokens: 7n, output_audio_tokens: 0n, output_image_tokens: 0n, request_bytes: 4_000n, answer_bytes: 2_000n,
      hold_nano_usd: 1_000_000n, grant_nano_usd: 5n, charge_nano_usd: 5n, admitted: true, status: 200,
      started_at: new Date(NOW_MS - 2_000), first_byte_at: new Date(NOW_MS - 1_499), ended_at: new Date(NOW_MS - 1_000),
    });
  });

  it.each(['UPDATE billing.usage SET charge_nano_usd = 0', 'DELETE FROM billing.usage', 'TRUNCATE billing.usage', `UPDATE billing.price_row SET prices = '{}'`, 'DELETE FROM billing.price_book'])(
    'cannot be changed: %s',
    async (statement) => {
      await consumer.handle(batchOf([usageEvent({ id: ids.next() })]));
      await expect(database.pool.query(statement)).rejects.toThrow('append only');
    },
  );
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { UsageQueryRange, UsageSums } from '@tokone/billing-client';
import type { UsageRecorded } from '@tokone/events';
import type { Pool } from '@tokone/persistence';
import { startBillingDatabase } from './fixtures/billing-database.js';
import type { BillingDatabase } from './fixtures/billing-database.js';
import { KEY_ID, NOW_MS, RecordedLog, TEST_SEED, batchOf, ids, refusedEvent, usageEvent } from './fixtures/usage-events.js';
import { OutboxSignal } from './outbox-signal.js';
import { LocalPriceBook } from './price-book.js';
import { ensurePriceBook } from './seed-price-book.js';
import { UsageConsumer } from './usage-consumer.js';
import { LocalUsageQuery } from './usage-query.js';
import { ROLLED_COLUMNS, ROLL_UP } from './usage-rollup.js';

/** 12:00 UTC on 2026-11-23: in Berlin 13:00, in Kiritimati (UTC+14) already the 24th. */
const RANGE: UsageQueryRange = { startDate: '2026-10-24', endDate: '2026-11-23', days: 30, timezone: 'UTC' };
const HOUR = 3_600_000;
const OTHER_KEY = ids.next();

let database: BillingDatabase;
let query: LocalUsageQuery;
let events: UsageRecorded[];

beforeAll(async () => {
  database = await startBillingDatabase();
  await ensurePriceBook(
    database.pool,
    { ...TEST_SEED, models: { ...TEST_SEED.models, 'other-model': TEST_SEED.models['test-model'] as never } },
    NOW_MS,
  );
  query = new LocalUsageQuery(database.pool, () => NOW_MS);
  events = madeUpEvents();
  await consumerAt(NOW_MS).handle(batchOf(events));
});
afterAll(async () => {
  await database.close();
});

function consumerAt(nowMs: number): UsageConsumer {
  const [pool, log] = [database.pool, new RecordedLog()];
  return new UsageConsumer({ pool, prices: new LocalPriceBook(pool, log), outbox: new OutboxSignal(), log, now: () => nowMs });
}

/** Requests of one key over the last day, of three models: 1 token, 1,000 nano-USD and 250 ms each; past the consumer, because it would take its time. */
async function insertMany(keyId: string, count: number): Promise<void> {
  const counts = ['cache_read', 'cache_write_5m', 'cache_write_1h', 'input_audio', 'output', 'reasoning', 'output_audio', 'output_image'].map((name) => `${name}_tokens`);
  const partSize = 30_000;
  const statement = `WITH inserted AS (
       INSERT INTO billing.usage (id, account_id, key_id, group_id, started_at, ended_at, count, input_tokens, ${counts.join(', ')}, multiplier_ppm,
         list_nano_usd, rated_nano_usd, hold_nano_usd, grant_nano_usd, charge_nano_usd, request_bytes, answer_bytes, status, admitted, streamed, estimated, odd, model, dialect, outcome, content_hash)
       SELECT gen_random_uuid(), $1, $1, $1, t - interval '250 ms', t, 1, 1, ${counts.map(() => '0').join(', ')}, 1000000, 1000, 1000, 1000, 1000, 1000, 10, 10, 200, true, true, false, false, 'model-' || n % 3, 'openai-chat', 'completed', ''
       FROM generate_series($4::int + 1, $4::int + $5::int) AS n, LATERAL (SELECT $3::timestamptz - n * interval '86400 s' / $2::int AS t) AS ended
       RETURNING ${ROLLED_COLUMNS}
     ), rolled AS (${ROLL_UP}) SELECT 1`;
  // In parts, each well within the pool's statement deadline.
  for (let first = 0; first < count; first += partSize) await database.pool.query(statement, [keyId, count, new Date(NOW_MS), first, partSize]);
}

/** 200 requests over 30 days, of two models and two keys, a fifth of them refused; every class of tokens. */
function madeUpEvents(): UsageRecorded[] {
  return Array.from({ length: 200 }, (_, index) => {
    const endedAtMs = NOW_MS - Math.floor((index / 200) ** 3 * 30 * 24 * HOUR) - index * 7;
    const place = { keyId: index % 4 === 0 ? OTHER_KEY : KEY_ID, endedAtMs, startedAtMs: endedAtMs - 100 - index };
    if (index % 5 === 4) return refusedEvent(place);
    const model = index % 3 === 0 ? 'other-model' : 'test-model';
    const tokens = { input: 100 + index, cacheRead: index, cacheWrite5m: 3, cacheWrite1h: 4, inputAudio: 5, output: 50 + index, reasoning: 6 };
    const money = { holdNanoUsd: index % 7 === 0 ? 1_000n : 10n ** 9n, multiplierPpm: 1_500_000 };
    return usageEvent({ ...place, model, priceId: `1/${model}`, tokens, ...money, grantNanoUsd: money.holdNanoUsd });
  });
}

/** The same sums, by hand: USD 1 per million of all that goes in and 2 of all that comes out, times 1.5. */
function sumsOf(chosen: readonly UsageRecorded[]): UsageSums {
  const sums = { requests: 0, inputTokens: 0, outputTokens: 0, cacheCreationTokens: 0, cacheReadTokens: 0, listNanoUsd: 0n, chargedNanoUsd: 0n };
  for (const { tokens, grantNanoUsd } of chosen) {
    const [cacheCreation, cacheRead] = [tokens.cacheWrite5m + tokens.cacheWrite1h, tokens.cacheRead];
    const [input, output] = [tokens.input + tokens.inputAudio, tokens.output + tokens.reasoning];
    const listNanoUsd = BigInt(input + cacheCreation + cacheRead) * 1_000n + BigInt(output) * 2_000n;
    const ratedNanoUsd = (listNanoUsd * 3n) / 2n;
    sums.requests += 1;
    sums.inputTokens += input;
    sums.outputTokens += output;
    sums.cacheCreationTokens += cacheCreation;
    sums.cacheReadTokens += cacheRead;
    sums.listNanoUsd += listNanoUsd;
    sums.chargedNanoUsd += ratedNanoUsd < grantNanoUsd ? ratedNanoUsd : grantNanoUsd;
  }
  return sums;
}

function dateIn(timezone: string, ms: number): string {
  return new Intl.DateTimeFormat('sv-SE', { timeZone: timezone, year: 'numeric', month: '2-digit', day: '2-digit' }).format(ms);
}

const mine = (): UsageRecorded[] => events.filter(({ keyId, outcome }) => keyId === KEY_ID && outcome !== 'refused');

describe('LocalUsageQuery', () => {
  it.each(['UTC', 'Europe/Berlin', 'Pacific/Kiritimati', 'America/Los_Angeles', 'Asia/Kolkata', 'Asia/Kathmandu', 'America/St_Johns', 'Pacific/Chatham'])(
    'sums admitted requests of one key by day, by model and in all, with the days of %s',
    async (timezone) => {
      const report = await query.ofKey(KEY_ID, { ...RANGE, timezone });
      const today = dateIn(timezone, NOW_MS);
      expect(report.total).toEqual(sumsOf(mine()));
      expect(report.today).toEqual(sumsOf(mine().filter(({ endedAtMs }) => dateIn(timezone, endedAtMs) === today)));
      const from = dateIn(timezone, NOW_MS - 29 * 24 * HOUR);
      const days = [...new Set(mine().map(({ endedAtMs }) => dateIn(timezone, endedAtMs)))].filter((date) => date >= from).sort();
      expect(report.daily).toEqual(
        days.map((date) => ({ date, ...sumsOf(mine().filter(({ endedAtMs }) => dateIn(timezone, endedAtMs) === date)) })),
      );
      const inRange = mine().filter(({ endedAtMs }) => {
        const date = dateIn(timezone, endedAtMs);
        return date >= RANGE.startDate && date <= RANGE.endDate;
      });
      expect(report.models).toEqual(
        ['other-model', 'test-model'].map((model) => ({ model, ...sumsOf(inRange.filter((event) => event.model === model)) })),
      );
    },
  );

  it('averages duration over all requests, and rates over the last five minutes', async () => {
    const report = await query.ofKey(KEY_ID, RANGE);
    const durations = mine().map(({ startedAtMs, endedAtMs }) => endedAtMs - startedAtMs);
    expect(report.averageDurationMs).toBeCloseTo(durations.reduce((sum, ms) => sum + ms, 0) / durations.length, 6);
    const recent = sumsOf(mine().filter(({ endedAtMs }) => endedAtMs > NOW_MS - 5 * 60_000));
    expect(recent.requests).toBeGreaterThan(0);
    expect(report.requestsPerMinute).toBe(recent.requests / 5);
    const tokens = recent.inputTokens + recent.outputTokens + recent.cacheCreationTokens + recent.cacheReadTokens;
    expect(report.tokensPerMinute).toBe(tokens / 5);
  });

  it('reaches back as many days as asked, today included', async () => {
    const report = await query.ofKey(KEY_ID, { ...RANGE, days: 1 });
    expect(report.daily.map(({ date }) => date)).toEqual(['2026-11-23']);
  });

  it('counts only the models of the asked dates', async () => {
    const report = await query.ofKey(KEY_ID, { ...RANGE, startDate: '2026-11-23' });
    expect(report.models.reduce((sum, { requests }) => sum + requests, 0)).toBe(report.today.requests);
  });

  it('answers zeros for a key that has used nothing', async () => {
    const report = await query.ofKey(ids.next(), RANGE);
    expect(report).toEqual({ today: sumsOf([]), total: sumsOf([]), averageDurationMs: 0, requestsPerMinute: 0, tokensPerMinute: 0, daily: [], models: [] });
  });

  it.each([
    [{ timezone: 'Mars/Olympus' }],
    [{ timezone: '+02:00' }],
    [{ startDate: '2026-02-30' }],
    [{ endDate: 'today' }],
    [{ days: 0 }],
    [{ days: 91 }],
  ])('refuses %j with a sentence', async (change) => {
    await expect(query.ofKey(KEY_ID, { ...RANGE, ...change })).rejects.toThrow(RangeError);
  });

  it.each([
    ['Asia/Kolkata', 'has +05:30', '2026-11-20'],
    ['Australia/Eucla', 'has +08:45', '2026-11-20'],
    ['Europe/Berlin', 'goes back', '2026-10-25'],
    ['America/New_York', 'goes back', '2026-11-01'],
    ['America/St_Johns', 'goes back from -02:30', '2026-11-01'],
    ['Australia/Lord_Howe', 'goes on by half an hour', '2026-10-04'],
    ['Pacific/Chatham', 'goes on to +13:45', '2026-09-27'],
    ['America/Santiago', 'has no midnight', '2026-09-06'],
  ])('cuts the days of %s, which %s, where they end', async (timezone, _why, date) => {
    const middleMs = Date.parse(`${date}T12:00:00Z`);
    const keyId = ids.next();
    // The last and the first millisecond of every quarter of an hour of three days.
    const times = Array.from({ length: 3 * 96 }, (_, index) => middleMs - 36 * HOUR + index * 15 * 60_000).flatMap((ms) => [ms - 1, ms]);
    await consumerAt(middleMs + 48 * HOUR).handle(batchOf(times.map((endedAtMs) => usageEvent({ keyId, endedAtMs, startedAtMs: endedAtMs - 5 }))));
    const dates = new Map<string, number>();
    for (const ms of times) dates.set(dateIn(timezone, ms), (dates.get(dateIn(timezone, ms)) ?? 0) + 1);
    const report = await new LocalUsageQuery(database.pool, () => middleMs).ofKey(keyId, { ...RANGE, startDate: date, endDate: date, timezone });
    expect(report.daily.map((day) => [day.date, day.requests])).toEqual([...dates]);
    expect(report.models.map(({ requests }) => requests)).toEqual([dates.get(date)]);
  });

  it('answers for a key with 300,000 requests in a day', async () => {
    const keyId = ids.next();
    await insertMany(keyId, 300_000);
    const report = await query.ofKey(keyId, RANGE);
    expect([report.total.requests, report.total.inputTokens, report.total.chargedNanoUsd]).toEqual([300_000, 300_000, 300_000_000n]);
    expect(report.daily.reduce((sum, { requests }) => sum + requests, 0)).toBe(300_000);
    expect([report.models.length, report.averageDurationMs]).toEqual([3, 250]);
  }, 60_000);

  it('asks the database once for all who ask the same at the same time, and again for who asks later', async () => {
    let asked = 0;
    const counting = { query: (...values: unknown[]) => ((asked += 1), (database.pool.query as (...given: unknown[]) => unknown)(...values)) } as unknown as Pool;
    const hot = new LocalUsageQuery(counting, () => NOW_MS);
    const reports = await Promise.all([...Array.from({ length: 20 }, () => hot.ofKey(KEY_ID, RANGE)), hot.ofKey(KEY_ID, { ...RANGE, days: 2 })]);
    expect(asked).toBe(2);
    expect(reports[19]).toEqual(await query.ofKey(KEY_ID, RANGE));
    await hot.ofKey(KEY_ID, RANGE);
    expect(asked).toBe(3);
  });

  it('gives up after 2 s when the table cannot be read', async () => {
    const holder = await database.anotherPool().connect();
    await holder.query('BEGIN; LOCK TABLE billing.usage IN ACCESS EXCLUSIVE MODE');
    const started = performance.now();
    await expect(query.ofKey(KEY_ID, RANGE)).rejects.toThrow('longer than 2000 ms');
    expect(performance.now() - started).toBeLessThan(4_000);
    await holder.query('ROLLBACK');
    holder.release();
  });
});

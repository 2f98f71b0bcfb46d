import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { UsageQueryRange, UsageSums } from '@tokone/billing-client';
import type { UsageRecorded } from '@tokone/events';
import { startBillingDatabase } from './fixtures/billing-database.js';
import type { BillingDatabase } from './fixtures/billing-database.js';
import { KEY_ID, NOW_MS, RecordedLog, TEST_SEED, batchOf, ids, refusedEvent, usageEvent } from './fixtures/usage-events.js';
import { OutboxSignal } from './outbox-signal.js';
import { LocalPriceBook } from './price-book.js';
import { ensurePriceBook } from './seed-price-book.js';
import { UsageConsumer } from './usage-consumer.js';
import { LocalUsageQuery } from './usage-query.js';

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
  const log = new RecordedLog();
  const prices = new LocalPriceBook(database.pool, log);
  await new UsageConsumer({ pool: database.pool, prices, outbox: new OutboxSignal(), log, now: () => NOW_MS }).handle(batchOf(events));
});
afterAll(async () => {
  await database.close();
});

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
  it.each(['UTC', 'Europe/Berlin', 'Pacific/Kiritimati', 'America/Los_Angeles', 'Asia/Kathmandu'])(
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

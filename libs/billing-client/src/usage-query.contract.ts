import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { UsageQuery, UsageQueryRange, UsageSums } from './usage-query.js';

/** One admitted request at USD 1 per million tokens of input and USD 2 of output, multiplier 1.5, granted in full. */
export interface UsageFact {
  keyId: string;
  model: 'one' | 'another';
  endedAtMs: number;
  durationMs: number;
  inputTokens: number;
  outputTokens: number;
}

export interface UsageQueryDriver {
  query: UsageQuery;
  /** The time that the query takes for now. */
  nowMs: number;
  /** Resolves when the query sees them. */
  record(facts: readonly UsageFact[]): Promise<void>;
  close(): Promise<void>;
}

const KEY = '01890000-0000-7000-8000-000000000001';
const OTHER_KEY = '01890000-0000-7000-8000-000000000002';
const MINUTE = 60_000;
const DAY = 86_400_000;

/** The promises of `UsageQuery`, the same for every driver. */
export function usageQueryContract(name: string, makeDriver: () => Promise<UsageQueryDriver>): void {
  describe(`UsageQuery of ${name}`, () => {
    let driver: UsageQueryDriver;
    let facts: UsageFact[];
    let range: UsageQueryRange;
    beforeAll(async () => {
      driver = await makeDriver();
      facts = madeUpFacts(driver.nowMs);
      await driver.record(facts);
      range = { startDate: dateOf(driver.nowMs - 29 * DAY), endDate: dateOf(driver.nowMs), days: 30, timezone: 'UTC' };
    });
    afterAll(async () => {
      await driver.close();
    });
    const mine = (): UsageFact[] => facts.filter(({ keyId }) => keyId === KEY);

    it('sums up what the key has used, today and in total, to the last nano-USD', async () => {
      const report = await driver.query.ofKey(KEY, range);
      expect(report.total).toEqual(sumsOf(mine()));
      expect(report.today).toEqual(sumsOf(mine().filter(({ endedAtMs }) => dateOf(endedAtMs) === dateOf(driver.nowMs))));
    });

    it('names the days and the models that were used', async () => {
      const report = await driver.query.ofKey(KEY, range);
      const days = [...new Set(mine().map(({ endedAtMs }) => dateOf(endedAtMs)))].sort();
      expect(report.daily).toEqual(days.map((date) => ({ date, ...sumsOf(mine().filter(({ endedAtMs }) => dateOf(endedAtMs) === date)) })));
      expect(report.models).toEqual((['another', 'one'] as const).map((model) => ({ model, ...sumsOf(mine().filter((fact) => fact.model === model)) })));
    });

    it('averages over all requests, and over the last five minutes', async () => {
      const report = await driver.query.ofKey(KEY, range);
      expect(report.averageDurationMs).toBeCloseTo(mine().reduce((sum, { durationMs }) => sum + durationMs, 0) / mine().length, 6);
      const recent = sumsOf(mine().filter(({ endedAtMs }) => endedAtMs > driver.nowMs - 5 * MINUTE));
      expect([report.requestsPerMinute, report.tokensPerMinute]).toEqual([recent.requests / 5, (recent.inputTokens + recent.outputTokens) / 5]);
    });

    it('answers zeros and empty lists for a key that has used nothing', async () => {
      const report = await driver.query.ofKey('01890000-0000-7000-8000-000000000003', range);
      expect(report).toEqual({ today: sumsOf([]), total: sumsOf([]), averageDurationMs: 0, requestsPerMinute: 0, tokensPerMinute: 0, daily: [], models: [] });
    });

    it.each([{ timezone: 'Mars/Olympus' }, { startDate: '2026-02-30' }, { endDate: 'today' }, { days: 0 }, { days: 91 }, { days: 1.5 }])(
      'refuses %j with a sentence',
      async (change) => {
        const refusal = await driver.query.ofKey(KEY, { ...range, ...change }).then(() => undefined, (error: unknown) => error);
        expect(refusal).toBeInstanceOf(RangeError);
        expect((refusal as RangeError).message).toMatch(/(write it like|must be 1 to 90)/);
      },
    );
  });
}

/** 60 requests over 20 days, the last ones in these minutes; every fourth of another key. */
function madeUpFacts(nowMs: number): UsageFact[] {
  return Array.from({ length: 60 }, (_, index) => ({
    keyId: index % 4 === 3 ? OTHER_KEY : KEY,
    model: index % 3 === 0 ? 'another' : 'one',
    endedAtMs: nowMs - Math.floor((index / 60) ** 2 * 20 * DAY) - index * 7,
    durationMs: 100 + index,
    inputTokens: 10 + index,
    outputTokens: index * 3,
  }));
}

function sumsOf(facts: readonly UsageFact[]): UsageSums {
  const sums = { requests: facts.length, inputTokens: 0, outputTokens: 0, cacheCreationTokens: 0, cacheReadTokens: 0, listNanoUsd: 0n, chargedNanoUsd: 0n };
  for (const { inputTokens, outputTokens } of facts) {
    sums.inputTokens += inputTokens;
    sums.outputTokens += outputTokens;
    sums.listNanoUsd += BigInt(inputTokens) * 1_000n + BigInt(outputTokens) * 2_000n;
    sums.chargedNanoUsd += BigInt(inputTokens) * 1_500n + BigInt(outputTokens) * 3_000n;
  }
  return sums;
}

function dateOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

import { describe, expect, it } from '@jest/globals';
import type { UsageReport, UsageSums } from './usage-query.js';
import { readUsageReport, usageQuestionSchema, writeUsageQuestion, writeUsageReport } from './usage-wire.js';

const SUMS: UsageSums = {
  requests: 3,
  inputTokens: 10,
  outputTokens: 20,
  cacheCreationTokens: 30,
  cacheReadTokens: 40,
  listNanoUsd: 123_456_789_012_345_678_901_234_567n,
  chargedNanoUsd: 9_007_199_254_740_993n,
};
const REPORT: UsageReport = {
  today: SUMS,
  total: { ...SUMS, requests: 4 },
  averageDurationMs: 12.5,
  requestsPerMinute: 0.6,
  tokensPerMinute: 0,
  daily: [{ date: '2026-11-23', ...SUMS }],
  models: [{ model: 'a "model"', ...SUMS }],
};

describe('a usage report on the wire', () => {
  it('arrives exactly, with amounts beyond floating point', () => {
    expect(readUsageReport(JSON.parse(JSON.stringify(writeUsageReport(REPORT))))).toStrictEqual(REPORT);
  });

  it('is refused when something is missing or is not an amount', () => {
    const { models: _models, ...partial } = REPORT;
    expect(() => readUsageReport({ report: partial })).toThrow();
    expect(() => readUsageReport({ report: { ...REPORT, today: { ...SUMS, listNanoUsd: '-1', chargedNanoUsd: '1' } } })).toThrow();
  });
});

describe('the question on the wire', () => {
  const range = { startDate: '2026-11-01', endDate: '2026-11-23', days: 30, timezone: 'Europe/Berlin' };

  it('arrives exactly', () => {
    const question = writeUsageQuestion('01890000-0000-7000-8000-000000000001', range);
    expect(usageQuestionSchema.parse(JSON.parse(JSON.stringify(question)))).toEqual(question);
  });

  it('needs the id of a key', () => {
    expect(() => usageQuestionSchema.parse(writeUsageQuestion('not an id', range))).toThrow();
  });
});

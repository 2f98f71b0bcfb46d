import { describe, expect, it } from '@jest/globals';
import { tenantKey } from './fixtures/tenant.js';
import { writeUsageAnswer } from './usage-answer.js';

const used = { requests: 3, inputTokens: 10, outputTokens: 20, cacheCreationTokens: 1, cacheReadTokens: 2, listNanoUsd: 1_500_000_001n, chargedNanoUsd: 750_000_000n };
const sums = { requests: 3, input_tokens: 10, output_tokens: 20, cache_creation_tokens: 1, cache_read_tokens: 2, total_tokens: 33, cost: 1.500000001, actual_cost: 0.75 };

describe('the answer of GET /v1/usage', () => {
  it('has the fields that tools read, money as exact USD numbers', () => {
    const report = { today: used, total: used, averageDurationMs: 12.6, requestsPerMinute: 1, tokensPerMinute: 2, daily: [{ ...used, date: '2026-01-31' }], models: [{ ...used, model: 'm' }] };
    const { cache_creation_tokens: cacheWrites, ...day } = sums;
    expect(writeUsageAnswer({ key: tenantKey, report, balanceNanoUsd: 9_250_000_001n })).toEqual({
      mode: 'unrestricted',
      isValid: true,
      planName: 'OpenAI',
      remaining: 9.250000001,
      balance: 9.250000001,
      unit: 'USD',
      usage: { today: sums, total: sums, average_duration_ms: 13, rpm: 1, tpm: 2 },
      daily_usage: [{ date: '2026-01-31', ...day, cache_write_tokens: cacheWrites }],
      model_stats: [{ model: 'm', ...sums }],
    });
  });
});

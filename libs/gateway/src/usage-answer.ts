import type { KeyRecord } from '@tokone/account-client';
import type { UsageReport, UsageSums } from '@tokone/billing-client';
import { usdNumber } from '@tokone/pricing';

export interface UsageAnswerInput {
  key: KeyRecord;
  report: UsageReport;
  balanceNanoUsd: bigint;
}

/**
 * The body of `GET /v1/usage`. Field names are those that existing tools read (`isValid`, `planName`, `remaining`,
 * `unit`); money is in USD numbers, the only place where it is.
 */
export function writeUsageAnswer({ key, report, balanceNanoUsd }: UsageAnswerInput): unknown {
  const balance = usdNumber(balanceNanoUsd);
  return {
    mode: 'unrestricted',
    isValid: true,
    planName: key.groupName,
    remaining: balance,
    balance,
    unit: 'USD',
    usage: {
      today: sums(report.today),
      total: sums(report.total),
      average_duration_ms: Math.round(report.averageDurationMs),
      rpm: report.requestsPerMinute,
      tpm: report.tokensPerMinute,
    },
    daily_usage: report.daily.map(({ date, ...day }) => {
      const { cache_creation_tokens, ...rest } = sums(day);
      return { date, ...rest, cache_write_tokens: cache_creation_tokens };
    }),
    model_stats: report.models.map(({ model, ...used }) => ({ model, ...sums(used) })),
  };
}

function sums(used: UsageSums) {
  return {
    requests: used.requests,
    input_tokens: used.inputTokens,
    output_tokens: used.outputTokens,
    cache_creation_tokens: used.cacheCreationTokens,
    cache_read_tokens: used.cacheReadTokens,
    total_tokens: used.inputTokens + used.outputTokens + used.cacheCreationTokens + used.cacheReadTokens,
    cost: usdNumber(used.listNanoUsd),
    actual_cost: usdNumber(used.chargedNanoUsd),
  };
}

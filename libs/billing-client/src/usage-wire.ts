import { z } from 'zod';
import type { UsageQueryRange, UsageReport } from './usage-query.js';

const count = z.number().int().min(0);
const average = z.number().min(0);
const nanoUsd = z.string().regex(/^\d{1,60}$/).transform(BigInt);
const sums = z.object({
  requests: count,
  inputTokens: count,
  outputTokens: count,
  cacheCreationTokens: count,
  cacheReadTokens: count,
  listNanoUsd: nanoUsd,
  chargedNanoUsd: nanoUsd,
});
const report = z.object({
  today: sums,
  total: sums,
  averageDurationMs: average,
  requestsPerMinute: average,
  tokensPerMinute: average,
  daily: z.array(sums.extend({ date: z.string() })),
  models: z.array(sums.extend({ model: z.string() })),
});

/** `POST /internal/billing/usage`. Whether the range is one is for the query to say, with the code `bad_range`. */
export const usageQuestionSchema = z.object({
  keyId: z.uuid(),
  range: z.object({ startDate: z.string().max(32), endDate: z.string().max(32), days: z.number(), timezone: z.string().max(64) }),
});

/** The code of a refusal whose message says what is wrong with the range. */
export const BAD_RANGE = 'bad_range';

export function writeUsageQuestion(keyId: string, range: UsageQueryRange): z.input<typeof usageQuestionSchema> {
  return { keyId, range };
}

export function readUsageReport(json: unknown): UsageReport {
  return z.object({ report }).parse(json).report;
}

/** Money as decimal strings of nano-USD. */
export function writeUsageReport({ today, total, daily, models, ...averages }: UsageReport): unknown {
  return { report: { ...averages, today: writeSums(today), total: writeSums(total), daily: daily.map(writeSums), models: models.map(writeSums) } };
}

function writeSums<Sums extends { listNanoUsd: bigint; chargedNanoUsd: bigint }>(given: Sums): unknown {
  return { ...given, listNanoUsd: given.listNanoUsd.toString(), chargedNanoUsd: given.chargedNanoUsd.toString() };
}

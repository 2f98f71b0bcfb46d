/** Sums of one key's admitted requests. Money in nano-USD; tokens as the tenant sees them. */
export interface UsageSums {
  requests: number;
  inputTokens: number;
  outputTokens: number;
  cacheCreationTokens: number;
  cacheReadTokens: number;
  /** At list price, before the multiplier. */
  listNanoUsd: bigint;
  /** What was charged. */
  chargedNanoUsd: bigint;
}

export interface UsageReport {
  today: UsageSums;
  total: UsageSums;
  averageDurationMs: number;
  /** Averages over the last five minutes. */
  requestsPerMinute: number;
  tokensPerMinute: number;
  daily: (UsageSums & { date: string })[];
  models: (UsageSums & { model: string })[];
}

export interface UsageQueryRange {
  /** YYYY-MM-DD, inclusive, in `timezone`. */
  startDate: string;
  endDate: string;
  /** How many days `daily` reaches back, 1 to 90. */
  days: number;
  /** IANA name. */
  timezone: string;
}

/** What a key has used. Drivers: billing's tables, HTTP to the billing service. Deadline 2 s. */
export interface UsageQuery {
  ofKey(keyId: string, range: UsageQueryRange): Promise<UsageReport>;
}

import type { UsageQuery, UsageQueryRange, UsageReport, UsageSums } from '@tokone/billing-client';
import type { Pool } from '@tokone/persistence';

const DEADLINE_MS = 2_000;
const RECENT_MINUTES = 5;

interface SumRow {
  part: 'today' | 'total' | 'recent' | 'daily' | 'model';
  label: string | null;
  requests: bigint;
  input_tokens: bigint;
  output_tokens: bigint;
  cache_creation_tokens: bigint;
  cache_read_tokens: bigint;
  list_nano_usd: bigint;
  charge_nano_usd: bigint;
  duration_ms: bigint;
}

/** Disjoint, as a tenant sees them: cached input is not part of `input_tokens`, thinking is part of `output_tokens`. */
const SUMS = `
  count(*) AS requests,
  sum(input_tokens + input_audio_tokens) AS input_tokens,
  sum(output_tokens + reasoning_tokens + output_audio_tokens + output_image_tokens) AS output_tokens,
  sum(cache_write_5m_tokens + cache_write_1h_tokens) AS cache_creation_tokens,
  sum(cache_read_tokens) AS cache_read_tokens,
  sum(list_nano_usd) AS list_nano_usd,
  sum(charge_nano_usd) AS charge_nano_usd,
  sum(greatest(ended_at - started_at, interval '0')) AS duration`;

const SUMS_OF_SUMS = [
  'requests',
  'input_tokens',
  'output_tokens',
  'cache_creation_tokens',
  'cache_read_tokens',
  'list_nano_usd',
  'charge_nano_usd',
]
  .map((column) => `coalesce(sum(${column}), 0)::bigint AS ${column}`)
  .concat('coalesce(extract(epoch FROM sum(duration)) * 1000, 0)::bigint AS duration_ms')
  .join(', ');

const OF_KEY = 'FROM billing.usage WHERE key_id = $1::uuid AND admitted';
const TODAY = `($2::timestamptz AT TIME ZONE $3::text)::date`;

/**
 * $1 key, $2 now, $3 time zone, $4 days, $5 first and $6 last date of the models. One statement, so one state of the
 * table, and one pass over the key's rows: all but the last minutes comes out of the sums by day and model.
 */
const REPORT = `
  WITH by_day AS MATERIALIZED (
    SELECT (ended_at AT TIME ZONE $3::text)::date AS day, model, ${SUMS} ${OF_KEY} GROUP BY 1, 2
  ), recent AS (
    SELECT ${SUMS} ${OF_KEY} AND ended_at > $2::timestamptz - interval '${RECENT_MINUTES} minutes'
  )
  SELECT 'today' AS part, NULL AS label, ${SUMS_OF_SUMS} FROM by_day WHERE day >= ${TODAY}
  UNION ALL
  SELECT 'total', NULL, ${SUMS_OF_SUMS} FROM by_day
  UNION ALL
  SELECT 'recent', NULL, ${SUMS_OF_SUMS} FROM recent
  UNION ALL
  SELECT 'daily', to_char(day, 'YYYY-MM-DD'), ${SUMS_OF_SUMS} FROM by_day WHERE day > ${TODAY} - $4::int GROUP BY day
  UNION ALL
  SELECT 'model', model, ${SUMS_OF_SUMS} FROM by_day WHERE day BETWEEN $5::date AND $6::date GROUP BY model
  ORDER BY part, label`;

/**
 * What a key has used, out of billing's own rows, admitted requests only. A request belongs to the day on which it
 * ended, in the asked time zone. `daily` and `models` name only what was used. Rejects after 2 s; the pool's
 * statement deadline should be no longer, so that the server stops working as well.
 */
export class LocalUsageQuery implements UsageQuery {
  constructor(
    private readonly pool: Pool,
    private readonly now: () => number,
  ) {}

  /** Throws a RangeError with a sentence for a range that is not one. */
  async ofKey(keyId: string, range: UsageQueryRange): Promise<UsageReport> {
    checkRange(range);
    const { timezone, days, startDate, endDate } = range;
    const values = [keyId, new Date(this.now()), timezone, days, startDate, endDate];
    const { rows } = await withDeadline(this.pool.query<SumRow>({ name: 'billing.usage-report', text: REPORT, values }));
    return readReport(rows);
  }
}

function readReport(rows: readonly SumRow[]): UsageReport {
  const part = (name: SumRow['part']): SumRow[] => rows.filter((row) => row.part === name);
  const [today, total, recent] = [part('today')[0], part('total')[0], part('recent')[0]];
  if (!today || !total || !recent) throw new Error('the usage report came without its sums');
  const recentTokens = readSums(recent);
  return {
    today: readSums(today),
    total: readSums(total),
    averageDurationMs: total.requests === 0n ? 0 : Number(total.duration_ms) / Number(total.requests),
    requestsPerMinute: recentTokens.requests / RECENT_MINUTES,
    tokensPerMinute:
      (recentTokens.inputTokens + recentTokens.outputTokens + recentTokens.cacheCreationTokens + recentTokens.cacheReadTokens) /
      RECENT_MINUTES,
    daily: part('daily').map((row) => ({ date: row.label ?? '', ...readSums(row) })),
    models: part('model').map((row) => ({ model: row.label ?? '', ...readSums(row) })),
  };
}

function readSums(row: SumRow): UsageSums {
  return {
    requests: Number(row.requests),
    inputTokens: Number(row.input_tokens),
    outputTokens: Number(row.output_tokens),
    cacheCreationTokens: Number(row.cache_creation_tokens),
    cacheReadTokens: Number(row.cache_read_tokens),
    listNanoUsd: row.list_nano_usd,
    chargedNanoUsd: row.charge_nano_usd,
  };
}

function checkRange({ startDate, endDate, days, timezone }: UsageQueryRange): void {
  for (const date of [startDate, endDate]) {
    if (!/^\d{4}-\d{2}-\d{2}$/.test(date) || !isDate(date)) throw new RangeError(`"${date}" is not a date: write it like 2026-01-31.`);
  }
  if (!Number.isInteger(days) || days < 1 || days > 90) throw new RangeError(`days must be 1 to 90, not ${days}.`);
  if (!isTimeZone(timezone)) throw new RangeError(`"${timezone}" is not a time zone: write it like UTC or Europe/Berlin.`);
}

function isDate(date: string): boolean {
  const ms = Date.parse(`${date}T00:00:00Z`);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(date) && date >= '0001-01-01';
}

/** Names only: PostgreSQL reads an offset like `+02:00` with the sign turned round. */
function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** Also bounds the wait for a connection. */
async function withDeadline<Result>(work: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`the usage report took longer than ${DEADLINE_MS} ms`)), DEADLINE_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

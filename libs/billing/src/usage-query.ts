import type { UsageQuery, UsageQueryRange, UsageReport, UsageSums } from '@tokone/billing-client';
import { withDeadline } from '@tokone/messaging';
import type { Pool } from '@tokone/persistence';
import { ROLLUP_SUM_COLUMNS, USAGE_SUMS } from './usage-rollup.js';

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
  /** Text: the sums are numeric. */
  list_nano_usd: string;
  charge_nano_usd: string;
  duration_ms: bigint;
}

const sumOf = (column: string): string => `coalesce(sum(${column}), 0)${column.endsWith('_nano_usd') ? '' : '::bigint'} AS ${column}`;
const SUMS = ROLLUP_SUM_COLUMNS.map(sumOf).join(', ');
const TODAY = `($2::timestamptz AT TIME ZONE $3::text)::date`;

/**
 * $1 key, $2 now, $3 time zone, $4 days, $5 first and $6 last date of the models. One statement, so one state of the
 * tables. All but the last minutes comes out of the rollup; no bucket of it is cut by a day of any time zone.
 */
const REPORT = `
  WITH by_day AS MATERIALIZED (
    SELECT (bucket AT TIME ZONE $3::text)::date AS day, model, ${SUMS} FROM billing.usage_rollup WHERE key_id = $1::uuid GROUP BY 1, 2
  ), recent AS (
    SELECT ${USAGE_SUMS} FROM billing.usage
    WHERE key_id = $1::uuid AND admitted AND ended_at > $2::timestamptz - interval '${RECENT_MINUTES} minutes'
  )
  SELECT 'today' AS part, NULL AS label, ${SUMS} FROM by_day WHERE day >= ${TODAY}
  UNION ALL
  SELECT 'total', NULL, ${SUMS} FROM by_day
  UNION ALL
  SELECT 'recent', NULL, ${SUMS} FROM recent
  UNION ALL
  SELECT 'daily', to_char(day, 'YYYY-MM-DD'), ${SUMS} FROM by_day WHERE day > ${TODAY} - $4::int GROUP BY day
  UNION ALL
  SELECT 'model', model, ${SUMS} FROM by_day WHERE day BETWEEN $5::date AND $6::date GROUP BY model
  ORDER BY part, label`;

/**
 * What a key has used, out of billing's own tables, admitted requests only. A request belongs to the day on which it
 * ended, in the asked time zone. `daily` and `models` name only what was used. Rejects after 2 s; the pool's
 * statement deadline should be no longer, so that the server stops working as well. Who asks what is being answered
 * already gets that answer, which is then at most as old as the deadline is long: dashboards ask often, and all at once.
 */
export class LocalUsageQuery implements UsageQuery {
  private readonly running = new Map<string, Promise<UsageReport>>();

  constructor(
    private readonly pool: Pool,
    private readonly now: () => number,
  ) {}

  /** Throws a RangeError with a sentence for a range that is not one. */
  async ofKey(keyId: string, range: UsageQueryRange): Promise<UsageReport> {
    checkRange(range);
    const { timezone, days, startDate, endDate } = range;
    const question = JSON.stringify([keyId, timezone, days, startDate, endDate]);
    let answer = this.running.get(question);
    if (answer === undefined) {
      answer = this.ask([keyId, new Date(this.now()), timezone, days, startDate, endDate]).finally(() => this.running.delete(question));
      this.running.set(question, answer);
    }
    return answer;
  }

  private async ask(values: readonly unknown[]): Promise<UsageReport> {
    const report = this.pool.query<SumRow>({ name: 'billing.usage-report', text: REPORT, values: [...values] });
    // Also bounds the wait for a connection.
    const { rows } = await withDeadline(report, DEADLINE_MS, `the usage report took longer than ${DEADLINE_MS} ms`);
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
    listNanoUsd: BigInt(row.list_nano_usd),
    chargedNanoUsd: BigInt(row.charge_nano_usd),
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

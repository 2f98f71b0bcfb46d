import { openPool } from '@tokone/persistence';
import type { Pool } from '@tokone/persistence';
import type { TruthRecord } from './simulator.js';

export interface MoneyCheckInput {
  databaseUrl: string;
  truth: readonly TruthRecord[];
  /** Tags of requests that were cut while something between provider and gateway stood still: what was sent filled the sockets, and nobody read it. */
  unread?: ReadonlySet<string>;
  /** For each rule; default 60 s, enough for the rows of a test. */
  statementTimeoutMs?: number;
}

const STATEMENT_TIMEOUT_MS = 60_000;

/** A rule of the ledger, and SQL that finds what breaks it: no row means that it holds. */
const RULES: readonly { rule: string; sql: string }[] = [
  { rule: 'all entries sum to 0', sql: 'SELECT sum(amount) AS found FROM account.entries HAVING sum(amount) <> 0' },
  { rule: 'each transfer sums to 0', sql: 'SELECT transfer_id, sum(amount) AS found FROM account.entries GROUP BY transfer_id HAVING sum(amount) <> 0' },
  {
    rule: 'each balance equals its entries, and seq their count',
    sql: `SELECT l.id, l.kind, l.balance, l.seq, e.total, e.entries FROM account.ledger_accounts l
          LEFT JOIN (SELECT ledger_account_id, sum(amount) AS total, count(*) AS entries, max(seq) AS last FROM account.entries GROUP BY 1) e ON e.ledger_account_id = l.id
          WHERE l.balance <> coalesce(e.total, 0) OR l.seq <> coalesce(e.entries, 0) OR l.seq <> coalesce(e.last, 0)`,
  },
  { rule: 'no wallet is below 0', sql: "SELECT id, balance FROM account.ledger_accounts WHERE kind = 'wallet' AND balance < 0" },
  {
    rule: 'each charge above 0 is posted once, with its amount, and nothing else is',
    sql: `SELECT coalesce(u.id, t.transfer_id) AS id, u.charge_nano_usd, t.amount FROM (SELECT * FROM billing.usage WHERE charge_nano_usd > 0) u
          FULL JOIN (SELECT e.transfer_id, -sum(e.amount) AS amount FROM account.entries e JOIN account.ledger_accounts l ON l.id = e.ledger_account_id AND l.kind = 'wallet'
                     JOIN account.transfers tr ON tr.id = e.transfer_id AND tr.kind = 'charge' GROUP BY 1) t ON t.transfer_id = u.id
          WHERE u.charge_nano_usd IS DISTINCT FROM t.amount`,
  },
  { rule: 'no event is parked, dead or in conflict', sql: 'SELECT id::text, reason FROM billing.parked UNION ALL SELECT log_offset::text, reason FROM billing.dead UNION ALL SELECT id::text, $$conflict$$ FROM billing.conflict' },
  {
    rule: 'the rollup equals the usage rows',
    sql: `SELECT coalesce(u.key_id, r.key_id) AS key_id, coalesce(u.bucket, r.bucket) AS bucket, coalesce(u.model, r.model) AS model, to_jsonb(u) AS usage, to_jsonb(r) AS rollup
          FROM (SELECT key_id, to_timestamp(floor(extract(epoch FROM ended_at) / 900) * 900) AS bucket, model, count(*) AS requests, sum(input_tokens + input_audio_tokens) AS input,
                  sum(output_tokens + reasoning_tokens + output_audio_tokens + output_image_tokens) AS output, sum(cache_write_5m_tokens + cache_write_1h_tokens) AS cache_creation,
                  sum(cache_read_tokens) AS cache_read, sum(list_nano_usd) AS list, sum(charge_nano_usd) AS charge,
                  sum(greatest(0, round(extract(epoch FROM ended_at) * 1000) - round(extract(epoch FROM started_at) * 1000))) AS duration_ms
                FROM billing.usage WHERE outcome <> 'refused' GROUP BY 1, 2, 3) u
          FULL JOIN billing.usage_rollup r USING (key_id, bucket, model)
          WHERE (u.requests, u.input, u.output, u.cache_creation, u.cache_read, u.list, u.charge, u.duration_ms)
            IS DISTINCT FROM (r.requests, r.input_tokens, r.output_tokens, r.cache_creation_tokens, r.cache_read_tokens, r.list_nano_usd, r.charge_nano_usd, r.duration_ms)`,
  },
  { rule: 'the outbox is empty', sql: 'SELECT id FROM billing.outbox' },
];

/**
 * Prices apart from the product's own arithmetic: what a usage row must cost at list price by the price table, in SQL
 * numeric, with the band that its input falls into. Tiers other than default are left to their own tests.
 */
const REPRICED = `
  SELECT u.id, u.rated_nano_usd, floor(p.usd * 1e9 * u.multiplier_ppm / 1e6 + 0.5) AS expected FROM billing.usage u
  JOIN billing.price_row r ON r.id = u.price_id
  CROSS JOIN LATERAL (SELECT b.value -> 'usdPerMillion' AS c FROM jsonb_array_elements(r.prices -> 'tiers' -> 'default') b
    WHERE (b.value ->> 'aboveInputTokens')::numeric = 0 OR u.input_tokens + u.cache_read_tokens + u.cache_write_5m_tokens + u.cache_write_1h_tokens + u.input_audio_tokens > (b.value ->> 'aboveInputTokens')::numeric
    ORDER BY (b.value ->> 'aboveInputTokens')::numeric DESC LIMIT 1) band
  CROSS JOIN LATERAL (SELECT (u.input_tokens * (c ->> 'input')::numeric + u.output_tokens * (c ->> 'output')::numeric
    + u.reasoning_tokens * coalesce(c ->> 'reasoning', c ->> 'output')::numeric + u.cache_read_tokens * coalesce(c ->> 'cacheRead', c ->> 'input')::numeric
    + u.cache_write_5m_tokens * coalesce(c ->> 'cacheWrite5m', c ->> 'input')::numeric
    + u.cache_write_1h_tokens * coalesce(c ->> 'cacheWrite1h', c ->> 'cacheWrite5m', c ->> 'input')::numeric) / 1e6 AS usd) p
  WHERE u.admitted AND coalesce(u.service_tier, 'default') = 'default' AND u.input_audio_tokens + u.output_audio_tokens + u.output_image_tokens = 0 AND u.units IS NULL
    AND u.rated_nano_usd <> floor(p.usd * 1e9 * u.multiplier_ppm / 1e6 + 0.5)`;

export interface UsageRow {
  id: string;
  outcome: string;
  estimated: boolean;
  upstream_request_id: string | null;
  input: number;
  cache_read: number;
  cache_write: number;
  output: number;
  charge: string;
  grant: string;
  hold: string;
}

/** Everything that must hold for the money when nothing is running, as sentences of what does not. Empty = right. */
export async function findMoneyFaults({ databaseUrl, truth, unread, statementTimeoutMs = STATEMENT_TIMEOUT_MS }: MoneyCheckInput): Promise<string[]> {
  const pool = openPool({ url: databaseUrl, poolSize: 2, statementTimeoutMs, applicationName: 'money check' });
  try {
    const faults: string[] = [];
    for (const { rule, sql } of RULES) faults.push(...(await broken(pool, rule, sql)));
    faults.push(...(await broken(pool, 'each rated amount is what the price table says', REPRICED)));
    if (truth.length > 0) faults.push(...compareWithTruth(await readUsage(pool), truth, unread));
    return faults;
  } finally {
    await pool.end();
  }
}

async function broken(pool: Pool, rule: string, sql: string): Promise<string[]> {
  const { rows } = await pool.query<Record<string, unknown>>(sql);
  return rows.slice(0, 5).map((row) => `${rule}: ${JSON.stringify(row, (_name, value: unknown) => (typeof value === 'bigint' ? value.toString() : value))}`);
}

async function readUsage(pool: Pool): Promise<UsageRow[]> {
  const { rows } = await pool.query<UsageRow>(`
    SELECT id, outcome, estimated, upstream_request_id, input_tokens::int AS input, cache_read_tokens::int AS cache_read,
      (cache_write_5m_tokens + cache_write_1h_tokens)::int AS cache_write, (output_tokens + reasoning_tokens)::int AS output,
      charge_nano_usd::text AS charge, grant_nano_usd::text AS grant, hold_nano_usd::text AS hold
    FROM billing.usage WHERE admitted`);
  return rows;
}

/** One PROGRESS step, and what a chunk may add to it. */
const STEP_TOKENS = 512 + 64;

/** Where the gateway stopped reading, the provider may have sent more: it is in the sockets' buffers. */
const ENDED_HERE = new Set(['client_left', 'balance_exhausted', 'gateway_failed']);

/** Of these and of a crash, a row may lack the provider's id of the answer: it ended before the gateway read it. */
const ENDED_EARLY = new Set(['client_left', 'gateway_failed', 'upstream_failed']);

/** Reported usage is exactly the truth's; estimated usage is within one PROGRESS step of what was sent. One usage row per request that the provider accepted. */
export function compareWithTruth(usage: readonly UsageRow[], truth: readonly TruthRecord[], unread: ReadonlySet<string> = new Set()): string[] {
  const faults: string[] = [];
  const byRequest = new Map(usage.filter((row) => row.upstream_request_id !== null).map((row) => [row.upstream_request_id, row]));
  for (const record of truth) {
    const row = byRequest.get(record.providerRequestId);
    if (!row) continue;
    const { tokens } = record;
    if (BigInt(row.charge) > BigInt(row.grant)) faults.push(`${row.id} is charged above its grant`);
    if (row.estimated) {
      const lagTokens = tokens.output + tokens.reasoning - row.output;
      const mayLag = ENDED_HERE.has(row.outcome) || unread.has(record.tag ?? '');
      if (lagTokens < -STEP_TOKENS || (lagTokens > STEP_TOKENS && !mayLag)) faults.push(`${row.id} (${row.outcome}) is estimated at ${row.output} output tokens, ${tokens.output} were sent`);
      continue;
    }
    if (record.outcome !== 'complete') continue;
    const expected = [tokens.input, tokens.cacheRead, tokens.cacheWrite5m + tokens.cacheWrite1h, tokens.output + tokens.reasoning];
    const found = [row.input, row.cache_read, row.cache_write, row.output];
    if (String(expected) !== String(found)) faults.push(`${row.id} is charged for ${found.join('/')}, the provider served ${expected.join('/')}`);
  }
  faults.push(...findUnrecorded(usage, truth));
  const accepted = truth.length;
  if (usage.length < accepted) faults.push(`${accepted} requests were accepted upstream, but only ${usage.length} usage rows of admitted requests exist`);
  return faults;
}

/** Answers without a row of their own, beyond the rows that can stand for one because they lack the provider's id. */
function findUnrecorded(usage: readonly UsageRow[], truth: readonly TruthRecord[]): string[] {
  const recorded = new Set(usage.map((row) => row.upstream_request_id));
  const unrecorded = truth.filter((record) => isAnswer(record) && !recorded.has(record.providerRequestId));
  const served = new Set(truth.map((record) => record.providerRequestId));
  const standIns = usage.filter(({ outcome, upstream_request_id: id }) =>
    outcome === 'gateway_crash' ? id === null || !served.has(id) : id === null && ENDED_EARLY.has(outcome),
  ).length;
  if (unrecorded.length <= standIns) return [];
  const names = unrecorded.slice(0, 5).map(({ providerRequestId, outcome, tokens }) => `${providerRequestId} (${outcome}, ${tokens.output} output tokens)`);
  return [`${unrecorded.length} answers of the provider have no usage row, and only ${standIns} rows can stand for one: ${names.join(', ')}`];
}

/** The gateway committed to it. An error without any output may have been left for another upstream, whose answer has the row. */
function isAnswer({ status, outcome, tokens }: TruthRecord): boolean {
  return status === 200 && (outcome !== 'error' || tokens.output + tokens.reasoning > 0);
}

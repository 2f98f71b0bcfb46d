import { createHash } from 'node:crypto';
import type { PoolClient } from '@tokone/persistence';
import { plainArray, textArray } from './array-literal.js';
import { handledRecords } from './usage-batch.js';
import type { DeadRecord, ParkedRecord, UsageBatch } from './usage-batch.js';
import { ROLLED_COLUMNS, ROLL_UP } from './usage-rollup.js';
import { INSERT_USAGE, USAGE_COLUMN_COUNT, usageArrays } from './usage-row.js';
import type { UsageRow } from './usage-row.js';

/** One content of a request id, as a record had it. */
export interface RecordedContent {
  id: string;
  /** Hex. */
  contentHash: string;
  raw: string | Uint8Array;
  offset: bigint;
}

export interface Conflict {
  content: RecordedContent;
  ratedContentHash: string;
}

export interface WriteResult {
  /** Rows that were new. */
  inserted: number;
  /** Whether the outbox has a new row. */
  published: boolean;
  conflicts: Conflict[];
}

/**
 * The charges and the rollup come out of RETURNING, never out of the input: an id that was rated before, or by another
 * consumer in this moment, reaches neither of them again.
 */
const NEW_ROWS = `
  inserted AS (
    ${INSERT_USAGE}
    ON CONFLICT (id) DO NOTHING
    RETURNING id, account_id, rated_nano_usd, outcome, ${ROLLED_COLUMNS}
  ), rolled AS (${ROLL_UP}
  )`;

const CHARGE = `json_build_object('id', id, 'accountId', account_id,
      'ratedNanoUsd', rated_nano_usd::text, 'chargeNanoUsd', charge_nano_usd::text)`;

/** `traces`: the parameter with the trace contexts of recorded requests, by id. Without it the statement is as cheap as it was. */
const publish = (condition: string, traces?: string): string => `
    INSERT INTO billing.outbox (charges)
    SELECT json_agg(${traces === undefined ? CHARGE : `jsonb_strip_nulls(${CHARGE}::jsonb || jsonb_build_object('traceparent', ${traces}::jsonb ->> id::text))`})
    FROM inserted WHERE ${condition} HAVING count(*) > 0
    RETURNING 1`;

const COUNTS = `SELECT (SELECT count(*) FROM inserted)::int AS inserted, EXISTS (SELECT 1 FROM published) AS published`;

/**
 * What costs nothing has no record in admission that a posting would have to take away, but for one case: a gateway may
 * have settled a request and died before it recorded that, and the next one closes it as never delivered.
 */
const HAS_RECORD = "(rated_nano_usd > 0 OR outcome = 'gateway_crash')";

const [PARTITION, NEXT, FIRST, HANDLED, OFFSETS, TRACES] = [1, 2, 3, 4, 5, 6].map((place) => `$${USAGE_COLUMN_COUNT + place}`);

/**
 * The cursor is where this batch ended, even if that is behind where it stood: records that come again change nothing,
 * whereas a cursor of another log that stayed ahead would pass over what nobody has seen.
 *
 * What was handled is counted beside it, each offset once: of a batch that was counted in part, or comes again, only
 * what lies behind `counted_to`. Reconciliation compares `records` with the offsets between.
 */
const writeStatement = (traces?: string): string => `
  WITH ${NEW_ROWS}, published AS (${publish(HAS_RECORD, traces)}
  ), moved AS (
    INSERT INTO billing.log_cursor AS c (log_partition, next_offset, counted_from, counted_to, records, rated)
    SELECT ${PARTITION}::text, ${NEXT}::bigint, ${FIRST}::bigint, ${NEXT}::bigint, ${HANDLED}::bigint, count(*) FROM inserted
    ON CONFLICT (log_partition) DO UPDATE SET next_offset = excluded.next_offset,
      counted_from = coalesce(c.counted_from, c.next_offset),
      counted_to = greatest(coalesce(c.counted_to, c.next_offset), excluded.next_offset),
      rated = c.rated + excluded.rated,
      records = c.records + greatest(0, excluded.records - CASE cardinality(${OFFSETS}::bigint[])
        WHEN 0 THEN greatest(0, coalesce(c.counted_to, c.next_offset) - excluded.counted_from)
        ELSE (SELECT count(*) FROM unnest(${OFFSETS}::bigint[]) AS o (place) WHERE o.place < coalesce(c.counted_to, c.next_offset)) END)
  )
  ${COUNTS}`;

const WRITE_ROWS = { name: 'billing.write-rows', text: writeStatement() };
const WRITE_RECORDED_ROWS = { name: 'billing.write-recorded-rows', text: writeStatement(TRACES) };

/** A parked request was settled at its hold, which only a posting takes away: a charge of 0 is published as well. */
const rerateStatement = (traces?: string): string => `WITH ${NEW_ROWS}, published AS (${publish('admitted', traces)}) ${COUNTS}`;

const WRITE_RERATED = { name: 'billing.write-rerated', text: rerateStatement() };
const WRITE_RECORDED_RERATED = { name: 'billing.write-recorded-rerated', text: rerateStatement(`$${USAGE_COLUMN_COUNT + 1}`) };

/** Writes rated rows, their sums, their outbox row, and the cursor, in one statement. */
export async function writeRows(client: PoolClient, batch: UsageBatch, rows: readonly UsageRow[]): Promise<WriteResult> {
  const values = [...usageArrays(rows), batch.partition, batch.nextOffset.toString(), batch.firstOffset.toString(), handledRecords(batch), plainArray(batch.offsets)];
  const statement = batch.traces === undefined ? { ...WRITE_ROWS, values } : { ...WRITE_RECORDED_ROWS, values: [...values, JSON.stringify(batch.traces)] };
  const { rows: results } = await client.query<{ inserted: number; published: boolean }>(statement);
  const { inserted, published } = results[0] ?? { inserted: 0, published: false };
  return { inserted, published, conflicts: [] };
}

/** Writes rows of events that were parked, their sums, and their outbox row, in one statement. */
export async function writeRerated(client: PoolClient, rows: readonly UsageRow[], traces?: Readonly<Record<string, string>>): Promise<WriteResult> {
  const values = usageArrays(rows);
  const query = traces === undefined ? { ...WRITE_RERATED, values } : { ...WRITE_RECORDED_RERATED, values: [...values, JSON.stringify(traces)] };
  const { rows: results } = await client.query<{ inserted: number; published: boolean }>(query);
  return { ...(results[0] ?? { inserted: 0, published: false }), conflicts: [] };
}

/**
 * Finds those of these contents whose id is rated with another one, and keeps them. A statement of its own, after
 * the insert: only then does it see the rows of another consumer that the insert had to wait for.
 */
export async function writeConflicts(client: PoolClient, partition: string, contents: readonly RecordedContent[]): Promise<Conflict[]> {
  const rated = await findRated(client, contents);
  const conflicts: Conflict[] = [];
  for (const content of contents) {
    const ratedContentHash = rated.get(content.id.toLowerCase());
    if (ratedContentHash !== undefined && ratedContentHash !== content.contentHash) conflicts.push({ content, ratedContentHash });
  }
  for (const { content, ratedContentHash } of conflicts) {
    await client.query(
      `INSERT INTO billing.conflict (id, content_hash, rated_content_hash, raw, log_partition, log_offset)
       VALUES ($1, decode($2, 'hex'), decode($3, 'hex'), $4, $5, $6) ON CONFLICT DO NOTHING`,
      [content.id, content.contentHash, ratedContentHash, Buffer.from(content.raw), partition, content.offset.toString()],
    );
  }
  return conflicts;
}

/** Of a row, for the above. */
export function contentOf({ event, contentHash, raw, offset }: UsageRow): RecordedContent {
  return { id: event.id, contentHash, raw, offset };
}

/** The contents (hex) under which these ids are rated, by id. */
export async function findRated(client: PoolClient, records: readonly { id: string }[]): Promise<ReadonlyMap<string, string>> {
  const { rows } = await client.query<{ id: string; content_hash: string }>(
    `SELECT id, encode(content_hash, 'hex') AS content_hash FROM billing.usage WHERE id = ANY($1::uuid[])`,
    [plainArray(records.map(({ id }) => id))],
  );
  return new Map(rows.map(({ id, content_hash }) => [id, content_hash]));
}

/**
 * Takes back what was parked and is rated, as by somebody who committed while the insert waited. What another
 * transaction has locked is that one's to take away: to wait for it could be to wait for each other.
 */
export async function unpark(client: PoolClient, records: readonly ParkedRecord[]): Promise<void> {
  await client.query(
    `DELETE FROM billing.parked p USING (
       SELECT parked.id, parked.content_hash FROM billing.parked, unnest($1::uuid[], $2::text[]) AS given (id, hash)
       WHERE parked.id = given.id AND parked.content_hash = decode(given.hash, 'hex') FOR UPDATE OF parked SKIP LOCKED
     ) AS rated WHERE p.id = rated.id AND p.content_hash = rated.content_hash`,
    [plainArray(records.map(({ id }) => id)), plainArray(records.map(({ contentHash }) => contentHash))],
  );
}

/** Parks events; not one that is rated already: a redelivery after its time is over is no news. */
export async function writeParked(client: PoolClient, partition: string, parked: readonly ParkedRecord[]): Promise<void> {
  if (parked.length === 0) return;
  await client.query(
    `INSERT INTO billing.parked (id, content_hash, reason, detail, raw, log_partition, log_offset)
     SELECT s.id, decode(s.content_hash, 'hex'), s.reason, s.detail, decode(s.raw, 'hex'), $7, s.log_offset
     FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[])
       AS s (id, content_hash, reason, detail, raw, log_offset)
     WHERE NOT EXISTS (SELECT 1 FROM billing.usage u WHERE u.id = s.id)
     ON CONFLICT DO NOTHING`,
    [
      plainArray(parked.map(({ id }) => id)),
      plainArray(parked.map(({ contentHash }) => contentHash)),
      textArray(parked.map((record) => record.parked.reason)),
      textArray(parked.map((record) => record.parked.detail)),
      textArray(parked.map(({ raw }) => Buffer.from(raw).toString('hex'))),
      plainArray(parked.map(({ offset }) => offset)),
      partition,
    ],
  );
}

/** Which of these places of a partition are dead already, by offset. */
export async function findDead(client: PoolClient, partition: string, offsets: readonly bigint[]): Promise<ReadonlySet<bigint>> {
  const { rows } = await client.query<{ log_offset: bigint }>('SELECT log_offset FROM billing.dead WHERE log_partition = $1 AND log_offset = ANY($2::bigint[])', [partition, plainArray(offsets)]);
  return new Set(rows.map(({ log_offset }) => BigInt(log_offset)));
}

/** @returns how many of them were not dead before. */
export async function writeDead(client: PoolClient, partition: string, dead: readonly DeadRecord[]): Promise<number> {
  if (dead.length === 0) return 0;
  const records = dead.map(({ reason, raw, offset }) => ({ reason, bytes: Buffer.from(raw), offset }));
  const { rowCount } = await client.query(
    `INSERT INTO billing.dead (log_partition, log_offset, raw_hash, reason, raw)
     SELECT $5, s.log_offset, decode(s.raw_hash, 'hex'), s.reason, decode(s.raw, 'hex')
     FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) AS s (log_offset, raw_hash, reason, raw)
     ON CONFLICT DO NOTHING`,
    [
      plainArray(records.map(({ offset }) => offset)),
      plainArray(records.map(({ bytes }) => createHash('sha256').update(bytes).digest('hex'))),
      textArray(records.map(({ reason }) => reason)),
      // Quoted, because a record can be empty.
      textArray(records.map(({ bytes }) => bytes.toString('hex'))),
      partition,
    ],
  );
  return rowCount ?? 0;
}

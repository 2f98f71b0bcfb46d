import { MINUTES_AT_ONCE, ROWS_PER_PAGE } from '@tokone/billing-client';
import type { ChargePage, CountedPartition, MinuteRange, RatedAudit, RatedFact, RecordedMinute } from '@tokone/billing-client';
import { firstIdOf } from '@tokone/protocol';
import type { IdRange } from '@tokone/protocol';
import type { Pool } from '@tokone/persistence';
import { plainArray } from './array-literal.js';

const MINUTE_MS = 60_000;

/** The comparison's side of billing: its own tables, by statements that each look at a bounded number of rows. */
export class LocalRatedAudit implements RatedAudit {
  constructor(private readonly pool: Pool) {}

  async chargePage({ after, upTo }: IdRange): Promise<ChargePage> {
    const { rows } = await this.pool.query<SumsRow>(PAGE_SUMS, [after, upTo]);
    const sums = rows[0];
    if (sums === undefined) throw new Error('an aggregate has one row');
    const { count, rated, charge, fingerprint, looked, last } = sums;
    return { last: looked === ROWS_PER_PAGE && last !== null ? last : undefined, count, ratedNanoUsd: BigInt(rated), chargeNanoUsd: BigInt(charge), fingerprint: fingerprint ?? '' };
  }

  async charges({ after, upTo }: IdRange): Promise<RatedFact[]> {
    const { rows } = await this.pool.query<FactRow>(`${FACTS} WHERE id > $1 AND id <= $2 AND rated_nano_usd > 0 ORDER BY id LIMIT ${2 * ROWS_PER_PAGE}`, [after, upTo]);
    return rows.map(readFact);
  }

  async chargesOf(ids: readonly string[]): Promise<RatedFact[]> {
    const { rows } = await this.pool.query<FactRow>(`${FACTS} WHERE id = ANY($1::uuid[])`, [plainArray(ids)]);
    return rows.map(readFact);
  }

  async minutes({ from, to }: MinuteRange): Promise<RecordedMinute[]> {
    if (to - from > MINUTES_AT_ONCE) throw new RangeError(`${to - from} minutes are more than ${MINUTES_AT_ONCE}`);
    const { rows: dead } = await this.pool.query<{ id: string }>(DEAD_IDS);
    const deadIds = plainArray(dead.map(({ id }) => id));
    const found: RecordedMinute[] = [];
    for (let minute = from; minute < to; minute++) {
      const bounds = [firstIdOf(minute * MINUTE_MS), firstIdOf((minute + 1) * MINUTE_MS)];
      const { rows } = await this.pool.query<{ count: number; id_xor: string | null }>(MINUTE, [...bounds, deadIds]);
      found.push({ minute, count: rows[0]?.count ?? 0, idXor: hexOf(rows[0]?.id_xor ?? '') });
    }
    return found;
  }

  async partitions(): Promise<CountedPartition[]> {
    const { rows } = await this.pool.query<CountedPartition>(PARTITIONS);
    return rows;
  }
}

interface SumsRow {
  looked: number;
  last: string | null;
  count: number;
  rated: string;
  charge: string;
  fingerprint: string | null;
}

interface FactRow {
  id: string;
  account_id: string;
  rated: bigint;
  charge: bigint;
}

function readFact({ id, account_id: accountId, rated, charge }: FactRow): RatedFact {
  return { id, accountId, ratedNanoUsd: rated, chargeNanoUsd: charge };
}

/** Bits as PostgreSQL writes them → hex digits. */
function hexOf(bits: string): string {
  return BigInt(`0b0${bits}`).toString(16).padStart(32, '0');
}

const FACTS = 'SELECT id, account_id, rated_nano_usd AS rated, charge_nano_usd AS charge FROM billing.usage';

/** md5, not PostgreSQL's own hash functions: those may differ between versions, and the ledger may be in another database. */
const PAGE_SUMS = `
  WITH page AS MATERIALIZED (
    SELECT id, account_id, rated_nano_usd AS rated, charge_nano_usd AS charge FROM billing.usage WHERE id > $1 AND id <= $2 ORDER BY id LIMIT ${ROWS_PER_PAGE}
  )
  SELECT count(*)::int AS looked, (SELECT id FROM page ORDER BY id DESC LIMIT 1) AS last, count(*) FILTER (WHERE rated > 0)::int AS count,
    coalesce(sum(rated), 0)::text AS rated, coalesce(sum(charge), 0)::text AS charge,
    bit_xor(('x' || md5(id || '/' || account_id || '/' || rated || '/' || charge))::bit(128)) FILTER (WHERE rated > 0)::text AS fingerprint
  FROM page`;

/** A dead record's id stands in its bytes, as far as they are a text of ours. The newest: older ones are of minutes that nobody asks for. */
const DEAD_IDS = `
  SELECT found AS id FROM (SELECT substring(encode(raw, 'escape') FROM '"id":"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"') AS found FROM billing.dead ORDER BY id DESC LIMIT 10000) d
  WHERE found IS NOT NULL`;

const MINUTE = `
  SELECT count(*)::int AS count, bit_xor(('x' || replace(id::text, '-', ''))::bit(128))::text AS id_xor FROM (
    SELECT id FROM billing.usage WHERE id >= $1 AND id < $2
    UNION SELECT id FROM billing.parked WHERE id >= $1 AND id < $2
    UNION SELECT d.id FROM unnest($3::uuid[]) AS d (id) WHERE d.id >= $1 AND d.id < $2
  ) known`;

const PARTITIONS = `
  SELECT c.log_partition AS name, c.next_offset AS "nextOffset", coalesce(c.counted_from, c.next_offset) AS "countedFrom",
    coalesce(c.counted_to, c.next_offset) AS "countedTo", c.records, c.rated,
    (SELECT count(*) FROM billing.dead d WHERE d.log_partition = c.log_partition AND d.log_offset >= coalesce(c.counted_from, c.next_offset)) AS dead
  FROM billing.log_cursor c ORDER BY c.log_partition`;

import type { Pool } from '@tokone/persistence';
import type { BillingBacklog, DeadReason } from '@tokone/telemetry';

/** As `sortRecord` names them; what else stands there the database said. */
const REASONS: Readonly<Record<string, DeadReason>> = { unreadable: 'unreadable', 'its id is not a UUID': 'bad_id' };

/** Tables that stay small, but for the outbox while its readers are away: one row a batch. */
const BACKLOG = `
SELECT (SELECT count(*) FROM billing.parked)::int AS parked,
  (SELECT count(*) FROM billing.outbox)::int AS outbox_rows,
  (SELECT coalesce(extract(epoch FROM now() - min(created_at)), 0) FROM billing.outbox)::float8 AS outbox_oldest_seconds,
  (SELECT coalesce(json_object_agg(reason, records), '{}')
   FROM (SELECT CASE WHEN reason IN ('unreadable', 'its id is not a UUID') THEN reason ELSE 'refused' END AS reason, count(*) AS records
     FROM billing.dead GROUP BY 1) dead) AS dead`;

/** What waits in billing's tables, for the metrics. */
export async function readBacklog(pool: Pick<Pool, 'query'>): Promise<BillingBacklog> {
  const { rows } = await pool.query<{ parked: number; outbox_rows: number; outbox_oldest_seconds: number; dead: Record<string, number> }>(BACKLOG);
  const [row] = rows;
  if (!row) throw new Error('the database told nothing of the backlog');
  const dead = Object.fromEntries(Object.entries(row.dead).map(([reason, records]) => [REASONS[reason] ?? 'refused', records]));
  return { parked: row.parked, dead, outboxRows: row.outbox_rows, outboxOldestSeconds: Math.max(0, row.outbox_oldest_seconds) };
}

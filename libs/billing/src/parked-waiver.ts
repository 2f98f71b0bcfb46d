import type { Waiver } from '@tokone/billing-client';
import { readUsageRecorded } from '@tokone/events';
import type { UsageRecorded } from '@tokone/events';
import { inTransaction } from '@tokone/persistence';
import type { Pool, PoolClient } from '@tokone/persistence';
import { noTokens } from '@tokone/protocol';
import { noBillingMetrics } from '@tokone/telemetry';
import type { BillingMetrics } from '@tokone/telemetry';
import { plainArray } from './array-literal.js';
import type { BillingLog } from './billing-log.js';
import { judgeTimes } from './event-times.js';
import type { OutboxSignal } from './outbox-signal.js';
import { tracesOf } from './rating-spans.js';
import type { UsageRow } from './usage-row.js';
import { writeConflicts, writeRerated } from './usage-writer.js';
import type { Conflict } from './usage-writer.js';

export interface ParkedWaiverParts {
  pool: Pool;
  outbox: OutboxSignal;
  log: BillingLog;
  /** Default: nobody counts. */
  metrics?: BillingMetrics;
}

export interface WaiverReason {
  /** Who decides. */
  by: string;
  /** For whoever asks later. */
  why: string;
}

interface ParkedRow {
  content_hash: string;
  raw: Buffer;
  log_partition: string;
  log_offset: bigint;
  parked_at: Date;
}

interface Decision {
  waiver: Waiver;
  published: boolean;
  conflicts: Conflict[];
}

const NO_AMOUNTS = { kind: 'rated', listNanoUsd: 0n, ratedNanoUsd: 0n, chargeNanoUsd: 0n, disagreement: false } as const;
const UNCHANGED_PPM = 1_000_000;

/**
 * A person's decision that a parked request costs nothing. It is rated at 0 and published, because only a posting takes
 * away what admission holds settled for it. Its row counts no tokens: nobody believes them. The record itself is kept.
 *
 * Exactly once: the usage row, its outbox row and the move of the parked one commit together.
 */
export class ParkedWaiver {
  constructor(private readonly parts: ParkedWaiverParts) {}

  /** @throws when the database cannot be asked; repeated, it has the same outcome. */
  async waive(requestId: string, reason: WaiverReason): Promise<Waiver> {
    const { pool, outbox, log, metrics = noBillingMetrics } = this.parts;
    const { waiver, published, conflicts } = await inTransaction(pool, (client) => decide(client, requestId, reason));
    if (published) outbox.notify();
    for (const { ratedContentHash } of conflicts) {
      log.error({ requestId, ratedContentHash }, 'a parked event has the id of a rated or waived one and another content');
      metrics.alarm('usage_conflict');
    }
    metrics.events('conflict', conflicts.length);
    if (waiver === 'waived') {
      log.info({ requestId, by: reason.by }, 'a parked request was waived: it costs nothing');
      metrics.events('posted', 1);
    }
    return waiver;
  }
}

async function decide(client: PoolClient, requestId: string, reason: WaiverReason): Promise<Decision> {
  const { rows: parked } = await client.query<ParkedRow>(
    `SELECT encode(content_hash, 'hex') AS content_hash, raw, log_partition, log_offset, parked_at
     FROM billing.parked WHERE id = $1 ORDER BY content_hash FOR UPDATE`,
    [requestId],
  );
  // Several records of one id differ in their content: the first counts, as it does where they can be rated.
  const first = parked.toSorted((one, other) => one.parked_at.getTime() - other.parked_at.getTime()).map(usageRowOf).find((row) => row !== undefined);
  if (first === undefined) return { waiver: parked.length > 0 ? 'unreadable' : await known(client, requestId), published: false, conflicts: [] };
  const { inserted, published } = await writeRerated(client, [first], tracesOf([first]));
  if (inserted === 1) await keepRecord(client, first, reason);
  const conflicts: Conflict[] = [];
  for (const { content_hash: contentHash, raw, log_partition: partition, log_offset: offset } of parked) {
    conflicts.push(...(await writeConflicts(client, partition, [{ id: requestId, contentHash, raw, offset }])));
  }
  // Only what was locked: another content may have been parked meanwhile.
  await client.query(`DELETE FROM billing.parked WHERE id = $1 AND content_hash IN (SELECT decode(hash, 'hex') FROM unnest($2::text[]) AS given (hash))`, [requestId, plainArray(parked.map((row) => row.content_hash))]);
  return { waiver: inserted === 1 ? 'waived' : await known(client, requestId), published, conflicts };
}

async function keepRecord(client: PoolClient, { event, contentHash }: UsageRow, { by, why }: WaiverReason): Promise<void> {
  await client.query(
    `INSERT INTO billing.waived (id, content_hash, reason, detail, raw, log_partition, log_offset, parked_at, waived_by, why)
     SELECT id, content_hash, reason, detail, raw, log_partition, log_offset, parked_at, $3, $4
     FROM billing.parked WHERE id = $1 AND content_hash = decode($2, 'hex')`,
    [event.id, contentHash, by, why],
  );
}

/** What is known of a request that is not parked. */
async function known(client: PoolClient, requestId: string): Promise<Waiver> {
  const { rows } = await client.query<{ waived: boolean; rated: boolean }>(
    `SELECT EXISTS (SELECT 1 FROM billing.waived WHERE id = $1) AS waived, EXISTS (SELECT 1 FROM billing.usage WHERE id = $1) AS rated`,
    [requestId],
  );
  if (rows[0]?.waived === true) return 'waived_before';
  return rows[0]?.rated === true ? 'rated' : 'unknown';
}

/** Undefined: it could be read when it was parked, and can no longer, as after damage to the row. */
function usageRowOf({ content_hash: contentHash, raw, log_offset: offset, parked_at: parkedAt }: ParkedRow): UsageRow | undefined {
  const text = raw.toString();
  let event: UsageRecorded;
  try {
    event = readUsageRecorded(text);
  } catch {
    return undefined;
  }
  const believed = { ...event, tokens: noTokens(), units: {}, multiplierPpm: UNCHANGED_PPM, odd: true };
  return { ...judgeTimes(believed, parkedAt.getTime()), contentHash, raw: text, offset, amounts: NO_AMOUNTS };
}

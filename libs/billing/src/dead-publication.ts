import type { UsageDead } from '@tokone/events';
import { OneAtATime } from '@tokone/messaging';
import type { PoolClient } from '@tokone/persistence';
import { OutboxReader } from './outbox-reader.js';
import type { OutboxParts } from './outbox-reader.js';

/** Writes dead records to `usage.dead`. */
export interface DeadPublisher {
  /** Resolves when all of them are stored for good; rejects when that is not known. */
  publish(records: readonly UsageDead[]): Promise<void>;
}

interface DeadRow {
  id: bigint;
  event: UsageDead;
}

interface StoredRow {
  id: bigint;
  event_id: string;
  log_partition: string;
  log_offset: bigint;
  reason: string;
  raw: Buffer;
  raw_bytes: number;
  died_at: Date;
}

const ROWS_PER_CLAIM = 16;
const PUBLISH_TIMEOUT_MS = 5_000;
/** A message has its bytes in base64, and a log takes about a megabyte at once. The table has the whole record. */
const MAX_RAW_BYTES = 256 * 1024;

/**
 * `billing.dead` → `usage.dead`, for people and their tools: at least once, the same event id each time. The rows
 * themselves stay. Any number of replicas publish side by side. Owner: start(), stop().
 */
export class DeadPublication {
  private readonly reader: OutboxReader<DeadRow>;

  constructor(parts: OutboxParts, publisher: DeadPublisher) {
    const calls = new OneAtATime(PUBLISH_TIMEOUT_MS, 'the dead records were stored');
    this.reader = new OutboxReader<DeadRow>(parts, {
      failure: 'dead records could not be published',
      rowsPerClaim: ROWS_PER_CLAIM,
      take: takeRows,
      handle: (rows) => calls.run(() => publisher.publish(rows.map(({ event }) => event))),
    });
  }

  start(): void {
    this.reader.start();
  }

  /** Finishes the running batch. */
  stop(): Promise<void> {
    return this.reader.stop();
  }
}

const TAKE_ROWS = `
  UPDATE billing.dead SET published_at = now() WHERE id = ANY(ARRAY(
    SELECT id FROM billing.dead WHERE published_at IS NULL AND id <> ALL($1::bigint[]) ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED))
  RETURNING id, event_id, log_partition, log_offset, reason, substring(raw for ${MAX_RAW_BYTES}) AS raw, length(raw) AS raw_bytes, died_at`;

async function takeRows(client: PoolClient, { except, limit }: { except: readonly bigint[]; limit: number }): Promise<DeadRow[]> {
  const { rows } = await client.query<StoredRow>({ name: 'billing.take-dead', text: TAKE_ROWS, values: [except.map(String), limit] });
  return rows.sort((a, b) => (a.id < b.id ? -1 : 1)).map((row) => ({ id: row.id, event: readEvent(row) }));
}

function readEvent({ event_id, log_partition, log_offset, reason, raw, raw_bytes, died_at }: StoredRow): UsageDead {
  const cut = raw_bytes > raw.length ? ` (the first ${raw.length} of ${raw_bytes} bytes)` : '';
  return {
    schema: 1,
    id: event_id,
    at: died_at.getTime(),
    traceparent: null,
    reason: `${reason}${cut}`,
    logPartition: log_partition,
    logOffset: log_offset.toString(),
    raw: raw.toString('base64'),
  };
}

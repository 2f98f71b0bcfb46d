import type { UsageRecorded } from '@tokone/events';
import type { LogBatch, LogRecord } from '@tokone/messaging';
import type { PriceSnapshot } from '@tokone/pricing';
import { hashContent } from './content-hash.js';
import { judgeTimes } from './event-times.js';
import { rateEvent } from './rate-event.js';
import type { Parked } from './rate-event.js';
import type { UsageRow } from './usage-row.js';

export interface ParkedRecord {
  id: string;
  contentHash: string;
  parked: Parked;
  raw: string;
  offset: bigint;
}

export interface DeadRecord {
  reason: string;
  raw: string | Uint8Array;
  offset: bigint;
}

/** A batch of the log, sorted out: every record is in exactly one of the lists, or a repetition of one that is. */
export interface UsageBatch {
  partition: string;
  /** Of the first record; its offsets, where others lie between them that are no records of ours, else none. */
  firstOffset: bigint;
  offsets: bigint[];
  nextOffset: bigint;
  /** One per id, the first of the batch, by rising id: two consumers lock the index in the same order. */
  rows: UsageRow[];
  /** Same id as one of `rows`, another content. */
  rivals: UsageRow[];
  /** How many are the same again as one of `rows`. */
  repeated: number;
  /** By rising id as well. */
  parked: ParkedRecord[];
  dead: DeadRecord[];
  /** Trace contexts of the requests that are recorded, by id in lower case; undefined when none is. */
  traces?: Readonly<Record<string, string>> | undefined;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Rates every record of a batch. Pure: `prices` holds the snapshots that the events name, as far as they exist. */
export function sortBatch(batch: LogBatch, prices: ReadonlyMap<string, PriceSnapshot>, nowMs: number): UsageBatch {
  const rows = new Map<string, UsageRow>();
  const sorted: UsageBatch = { ...placeOf(batch), rows: [], rivals: [], repeated: 0, parked: [], dead: [] };
  for (const record of batch.records) {
    const found = sortRecord(record, prices, nowMs);
    if ('reason' in found) sorted.dead.push(found);
    else if ('parked' in found) sorted.parked.push(found);
    else {
      const first = rows.get(found.event.id);
      if (first === undefined) rows.set(found.event.id, found);
      else if (first.contentHash !== found.contentHash) sorted.rivals.push(found);
      else sorted.repeated++;
    }
  }
  sorted.rows = [...rows.values()].sort((a, b) => (a.event.id < b.event.id ? -1 : 1));
  sorted.parked.sort((a, b) => (a.id < b.id ? -1 : 1));
  return sorted;
}

/** How many records were sorted: all of the batch. */
export function handledRecords({ rows, rivals, repeated, parked, dead }: UsageBatch): number {
  return rows.length + rivals.length + repeated + parked.length + dead.length;
}

/** The price snapshots that a batch needs. */
export function priceIdsOf(batch: LogBatch): Set<string> {
  const ids = new Set<string>();
  for (const { event } of batch.records) if (event?.priceId) ids.add(event.priceId);
  return ids;
}

function placeOf({ partition, records, nextOffset }: LogBatch): Pick<UsageBatch, 'partition' | 'firstOffset' | 'offsets' | 'nextOffset'> {
  const firstOffset = records[0]?.offset ?? nextOffset;
  const contiguous = nextOffset - firstOffset === BigInt(records.length);
  return { partition, firstOffset, offsets: contiguous ? [] : records.map(({ offset }) => offset), nextOffset };
}

function sortRecord(
  { event, raw, bytes, offset }: LogRecord,
  prices: ReadonlyMap<string, PriceSnapshot>,
  nowMs: number,
): UsageRow | ParkedRecord | DeadRecord {
  if (event === undefined) return { reason: 'unreadable', raw: bytes ?? raw, offset };
  if (!UUID.test(event.id)) return { reason: 'its id is not a UUID', raw, offset };
  try {
    const contentHash = hashContent(event);
    const rated = rateEvent(event, priceOf(event, prices));
    if (rated.kind === 'parked') return { id: event.id, contentHash, parked: rated, raw, offset };
    return { ...judgeTimes(event, nowMs), contentHash, raw, offset, amounts: rated };
  } catch (error) {
    // One record that we cannot handle must not hold up all that follow it.
    return { reason: error instanceof Error ? error.message : String(error), raw, offset };
  }
}

function priceOf(event: UsageRecorded, prices: ReadonlyMap<string, PriceSnapshot>): PriceSnapshot | undefined {
  return event.priceId === null ? undefined : prices.get(event.priceId);
}

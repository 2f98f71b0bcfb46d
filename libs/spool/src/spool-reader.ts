import type { AlarmListener } from './alarm.js';
import { offsetOf, packPosition, segmentOf } from './position.js';
import { FIRST_INTERNAL_RECORD } from './record.js';
import { HEADER_BYTES, type Segment } from './segment.js';
import { SegmentScan } from './segment-scan.js';
import type { SegmentStore } from './segment-store.js';
import { SpoolError } from './spool-error.js';

export interface SpoolRecord {
  type: number;
  id: string;
  payload: string;
  position: bigint;
}

export interface ReadLimits {
  /** Most records in the answer. */
  records: number;
  /** Most bytes of the log to look at, records of other types included; one record is looked at in any case. */
  bytes: number;
  /** Only records of these types; all when absent. */
  types?: readonly number[];
}

export interface SpoolPage {
  records: SpoolRecord[];
  /** Where the next read begins. It moves past records of other types too, so `records` may be empty and yet it grew. */
  next: bigint;
}

/**
 * Reads what was written, in order, across segments. One descriptor and one block of 256 KiB are kept between calls,
 * so a reader that goes on where it stopped reads each byte about once. Calls are served one after the other.
 */
export class SpoolReader {
  private readonly store: SegmentStore;
  private readonly seed: number;
  private readonly onAlarm: AlarmListener;
  private scan: SegmentScan | undefined;
  private queue: Promise<unknown> = Promise.resolve();
  private closed = false;

  constructor(store: SegmentStore, seed: number, onAlarm: AlarmListener) {
    this.store = store;
    this.seed = seed;
    this.onAlarm = onAlarm;
  }

  read(from: bigint | undefined, limits: ReadLimits): Promise<SpoolPage> {
    if (this.closed) return Promise.reject(new SpoolError('closed', 'The spool is closed.'));
    const page = this.queue.then(() => this.readPage(from, limits));
    this.queue = page.catch(() => undefined);
    return page;
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.queue;
    await this.scan?.close();
    this.scan = undefined;
  }

  private async readPage(from: bigint | undefined, limits: ReadLimits): Promise<SpoolPage> {
    const page: SpoolPage = { records: [], next: this.checkedStart(from) };
    let examined = 0;
    for (;;) {
      const place = this.placeOf(page.next);
      if (!place) return page;
      const { segment, offset } = place;
      const scan = await this.scanAt(segment, offset);
      const left = { ...limits, bytes: limits.bytes - examined };
      try {
        await readSegment({ scan, segment, limits: left }, page);
      } catch (error) {
        // Another consumer released it between two steps; what follows it is still there.
        if (this.store.segments.includes(segment)) throw error;
        continue;
      }
      page.next = packPosition(segment.number, scan.offset);
      examined += scan.offset - offset;
      if (page.records.length >= limits.records || examined >= limits.bytes) return page;
    }
  }

  /** A position that no segment of this log ever had would hide records that are written later. */
  private checkedStart(from: bigint | undefined): bigint {
    if (from === undefined) return 0n;
    if (segmentOf(from) < this.store.nextNumber) return from;
    const message = `A reader asks for position ${from}, which is beyond the log's end ${this.store.end}; it gets the log from its beginning.`;
    this.onAlarm({ kind: 'cursor_ahead', message });
    return 0n;
  }

  /** The segment and offset of the first byte at or after `position` that may be read. */
  private placeOf(position: bigint): { segment: Segment; offset: number } | undefined {
    const number = segmentOf(position);
    for (const segment of this.store.segments) {
      if (segment.number < number) continue;
      if (!segment.listed) return undefined;
      const offset = segment.number === number ? Math.max(HEADER_BYTES, offsetOf(position)) : HEADER_BYTES;
      if (offset < segment.bytes) return { segment, offset };
    }
    return undefined;
  }

  private async scanAt(segment: Segment, offset: number): Promise<SegmentScan> {
    if (this.scan?.path === segment.path && this.scan.offset === offset) return this.scan;
    await this.scan?.close();
    this.scan = new SegmentScan({ path: segment.path, offset, seed: this.seed }, ({ from, to }) => {
      const message = `${segment.path} holds no record from byte ${from} to ${to}; a reader passed over it.`;
      this.onAlarm({ kind: 'damaged', message });
    });
    return this.scan;
  }
}

async function readSegment(
  source: { scan: SegmentScan; segment: Segment; limits: ReadLimits },
  page: SpoolPage,
): Promise<void> {
  const { scan, segment, limits } = source;
  const start = scan.offset;
  // Fixed for this call: the segment may grow meanwhile.
  const bound = segment.bytes;
  while (page.records.length < limits.records) {
    const step = scan.step(bound);
    if (step === 'end') return;
    if (step === 'fill') {
      await scan.fill(bound);
      continue;
    }
    const { reader, recordAt } = scan;
    const type = reader.typeAt(recordAt);
    if (type < FIRST_INTERNAL_RECORD && (limits.types === undefined || limits.types.includes(type))) {
      const position = packPosition(segment.number, scan.recordOffset);
      page.records.push({ type, id: reader.idAt(recordAt), payload: reader.payloadAt(recordAt), position });
    }
    if (scan.offset - start >= limits.bytes) return;
  }
}

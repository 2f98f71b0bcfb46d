import { SPOOL_RECORD } from '@tokone/events/spool-record';

/** So many stretches are told apart; beyond it two neighbours count as one. */
const MOST_STRETCHES = 8_192;

/** Records of usage that were written together. */
interface Stretch {
  /** The position behind them. */
  end: bigint;
  records: number;
  writtenAtMs: number;
}

/** What a log has not acknowledged. */
export interface Unacknowledged {
  records: number;
  /** When the oldest was written, milliseconds since 1970; undefined where there is none. */
  oldestAtMs: number | undefined;
}

/**
 * Counts the records of usage between what was written and what the consumer has released. It knows them by the write
 * that they were part of: of a write that is released in part the whole still counts.
 */
export class Backlog {
  private stretches: Stretch[] = [];
  private records = 0;
  /** Taken in, and not yet seen to be written. */
  private pending = 0;

  private readonly mostStretches: number;

  constructor(mostStretches = MOST_STRETCHES) {
    this.mostStretches = mostStretches;
  }

  static counts(type: number): boolean {
    return type === SPOOL_RECORD.close || type === SPOOL_RECORD.refused;
  }

  append(type: number): void {
    if (Backlog.counts(type)) this.pending++;
  }

  /** Everything that was taken in stands before `end`. */
  written(end: bigint, nowMs: number): void {
    if (this.pending === 0) return;
    this.add({ end, records: this.pending, writtenAtMs: nowMs });
    this.pending = 0;
  }

  /** One record that a former process wrote, in order. */
  found(end: bigint, writtenAtMs: number): void {
    this.add({ end, records: 1, writtenAtMs });
  }

  /** The consumer never asks again for anything before `position`. */
  release(position: bigint): void {
    const kept = this.stretches.findIndex(({ end }) => end > position);
    const released = this.stretches.splice(0, kept < 0 ? this.stretches.length : kept);
    for (const { records } of released) this.records -= records;
  }

  get unacknowledged(): Unacknowledged {
    return { records: this.records + this.pending, oldestAtMs: this.stretches[0]?.writtenAtMs };
  }

  private add(stretch: Stretch): void {
    this.stretches.push(stretch);
    this.records += stretch.records;
    if (this.stretches.length > this.mostStretches) this.stretches = halved(this.stretches);
  }
}

/** Of each two the end of the later and the time of the earlier: a stretch is as old as its oldest record. */
function halved(stretches: readonly Stretch[]): Stretch[] {
  const merged: Stretch[] = [];
  for (let at = 0; at < stretches.length; at += 2) {
    const [first, second] = stretches.slice(at, at + 2);
    if (first) merged.push(second ? { end: second.end, records: first.records + second.records, writtenAtMs: first.writtenAtMs } : first);
  }
  return merged;
}

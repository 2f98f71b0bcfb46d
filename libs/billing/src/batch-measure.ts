import type { LogBatch } from '@tokone/messaging';
import type { BillingMetrics } from '@tokone/telemetry';
import type { UsageBatch } from './usage-batch.js';

/** A batch that is committed. */
export interface CommittedBatch {
  sorted: Pick<UsageBatch, 'rows' | 'parked'>;
  result: { inserted: number; conflicts: readonly unknown[]; died: number };
  /** All that the log handed over. */
  records: number;
  /** Milliseconds since 1970. */
  nowMs: number;
}

/** Tells the metrics what became of the records of a batch. Each counts once, as the first of: new, in conflict, parked, newly dead, a repetition. */
export function measureBatch(metrics: BillingMetrics, { sorted, result, records, nowMs }: CommittedBatch): void {
  const { inserted, conflicts, died } = result;
  const parked = sorted.parked.length;
  metrics.events('posted', inserted);
  metrics.events('conflict', conflicts.length);
  metrics.events('parked', parked);
  metrics.events('dead', died);
  metrics.events('duplicate', Math.max(0, records - inserted - conflicts.length - parked - died));
  metrics.differences(sorted.rows.filter(({ amounts }) => amounts.disagreement).length);
  // Which rows are new only the database knows: a batch of which some are not is read again, and tells nothing of freshness.
  if (inserted === sorted.rows.length) for (const { event } of sorted.rows) metrics.ratedAge(nowMs - event.endedAtMs);
}

/** A log hands a batch that failed over again within five seconds, as long as this process has the partition. */
const FORGOTTEN_AFTER_MS = 30_000;

/** The batches that were handed over and are not stored, by partition: how old the oldest request in them is. */
export class BatchesInHand {
  private readonly batches = new Map<string, { endedAtMs: number; takenAtMs: number }>();

  /** `now` in milliseconds since 1970. */
  constructor(private readonly now: () => number) {}

  take({ partition, records }: LogBatch): void {
    const endedAtMs = records.reduce((oldest, { event }) => Math.min(oldest, event?.endedAtMs ?? oldest), this.now());
    this.batches.set(partition, { endedAtMs, takenAtMs: this.now() });
  }

  done({ partition }: LogBatch): void {
    this.batches.delete(partition);
  }

  get oldestSeconds(): number {
    const nowMs = this.now();
    let oldestMs = nowMs;
    for (const [partition, { endedAtMs, takenAtMs }] of this.batches) {
      // Another member has the partition by now.
      if (nowMs - takenAtMs > FORGOTTEN_AFTER_MS) this.batches.delete(partition);
      else oldestMs = Math.min(oldestMs, endedAtMs);
    }
    return (nowMs - oldestMs) / 1000;
  }
}

export interface DeadLimits {
  /** Dead records within a minute that are taken for accidents; default 20. */
  perMinute?: number;
  /** Dead records of one batch that are taken for accidents, if they are not more than a hundredth of it; default 5. */
  perBatch?: number;
}

const PER_MINUTE = 20;
const PER_BATCH = 5;
/** Of a batch. */
const DEAD_SHARE = 0.01;
const WINDOW_MS = 60_000;
/** Between two alarms about the same trouble: the log hands a batch over every few seconds. */
const ALARM_PAUSE_MS = 60_000;

/** The batch was refused as a whole; nothing of it is stored, and the log keeps it. */
export class TooManyDeadError extends Error {
  override readonly name = 'TooManyDeadError';
}

/**
 * Stops the line when records die in numbers: then the fault is more likely ours than theirs, and putting them aside
 * one by one would leave a whole hour unbilled. What is already dead and delivered again does not count. Per process.
 */
export class DeadLimit {
  private readonly perMinute: number;
  private readonly perBatch: number;
  private recent: { atMs: number; count: number }[] = [];
  private alarmedAtMs: number | undefined;

  constructor(
    private readonly now: () => number,
    { perMinute = PER_MINUTE, perBatch = PER_BATCH }: DeadLimits = {},
  ) {
    this.perMinute = perMinute;
    this.perBatch = perBatch;
  }

  /** How many records of a batch of this size may die now. */
  allowance(batchSize: number): number {
    const nowMs = this.now();
    // Also of a clock that was set back: its future would count for ever.
    this.recent = this.recent.filter(({ atMs }) => Math.abs(nowMs - atMs) < WINDOW_MS);
    const left = this.perMinute - this.recent.reduce((sum, { count }) => sum + count, 0);
    return Math.max(0, Math.min(left, Math.max(this.perBatch, Math.floor(batchSize * DEAD_SHARE))));
  }

  /** That many have died, and that is committed. */
  note(count: number): void {
    if (count > 0) this.recent.push({ atMs: this.now(), count });
  }

  /** Whether an alarm is due. */
  alarm(): boolean {
    const nowMs = this.now();
    if (this.alarmedAtMs !== undefined && Math.abs(nowMs - this.alarmedAtMs) < ALARM_PAUSE_MS) return false;
    this.alarmedAtMs = nowMs;
    return true;
  }
}

/** What a single number means, as an operator sets it: so many in a minute, a quarter of them in one batch. */
export function deadLimitsOf(perMinute: number): DeadLimits {
  return { perMinute, perBatch: Math.ceil(perMinute / 4) };
}

import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { IntervalHistogram } from 'node:perf_hooks';

/** How late the event loop was. Seconds. */
export interface DelaySeconds {
  mean: number;
  p50: number;
  p99: number;
  max: number;
}

const RESOLUTION_MS = 10;
/** Several metrics are filled at one look, and must tell of the same time. */
const SAME_LOOK_MS = 500;
const NANOSECONDS = 1e9;

/** Watches the event loop, with a timer of Node's that wakes up a hundred times a second. Owner: close(). */
export class LoopDelay {
  private readonly histogram: IntervalHistogram;
  private last: DelaySeconds = { mean: 0, p50: 0, p99: 0, max: 0 };
  private lookedAtMs = Number.NEGATIVE_INFINITY;

  constructor() {
    this.histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    this.histogram.enable();
  }

  /** Of the time since the last look, which is over now. */
  seconds(): DelaySeconds {
    const nowMs = performance.now();
    if (nowMs - this.lookedAtMs < SAME_LOOK_MS) return this.last;
    this.lookedAtMs = nowMs;
    const { histogram } = this;
    // Node counts the whole pause between two turns of its timer, of which the resolution was meant.
    const late = (nanoseconds: number): number => Math.max(0, (Number.isFinite(nanoseconds) ? nanoseconds : 0) / NANOSECONDS - RESOLUTION_MS / 1000);
    if (histogram.count > 0) this.last = { mean: late(histogram.mean), p50: late(histogram.percentile(50)), p99: late(histogram.percentile(99)), max: late(histogram.max) };
    histogram.reset();
    return this.last;
  }

  close(): void {
    this.histogram.disable();
  }
}

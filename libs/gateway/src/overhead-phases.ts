import type { GatewayMetrics } from '@tokone/telemetry';

type Phase = Exclude<Parameters<GatewayMetrics['overhead']>[0], 'all'>;

/** The gateway's own time before a request goes to an upstream, part by part; a request that is refused on the way tells of the parts that it passed. */
export class OverheadPhases {
  private sinceMs: number;
  private allMs = 0;

  constructor(
    private readonly metrics: Pick<GatewayMetrics, 'overhead'>,
    /** Milliseconds, monotonic. */
    private readonly now: () => number,
  ) {
    this.sinceMs = now();
  }

  over(phase: Phase): void {
    const nowMs = this.now();
    const tookMs = nowMs - this.sinceMs;
    this.sinceMs = nowMs;
    this.allMs += tookMs;
    this.metrics.overhead(phase, tookMs);
  }

  /** What passed since the last part was the caller's time. */
  resume(): void {
    this.sinceMs = this.now();
  }

  end(): void {
    this.metrics.overhead('all', this.allMs);
  }
}

import type { UpstreamMetrics, UpstreamOutcome } from '@tokone/telemetry';

/** Tells the metrics of each attempt of one request, once. */
export class AttemptMeasure {
  private startedAtMs = 0;
  private running = false;
  private status = 0;
  private answering = false;

  constructor(
    private readonly metrics: UpstreamMetrics,
    private readonly model: string,
    /** Milliseconds, monotonic. */
    private readonly now: () => number,
  ) {}

  begin(): void {
    this.running = true;
    this.answering = false;
    this.status = 0;
    this.startedAtMs = this.now();
  }

  /** The head has come. */
  head(status: number): void {
    this.status = status;
  }

  /** Bytes of an answer that is passed on; those of an error are none. */
  bytes(): void {
    if (this.answering || this.status >= 400) return;
    this.answering = true;
    this.metrics.firstByte(this.model, this.now() - this.startedAtMs);
  }

  /** `outcome`: default by the status. */
  end(outcome: UpstreamOutcome = outcomeOfStatus(this.status)): void {
    if (!this.running) return;
    this.running = false;
    this.metrics.ended(this.model, outcome, this.now() - this.startedAtMs);
  }

  failOver(): void {
    this.metrics.failedOver();
  }
}

/** Anthropic and Gemini say with 529 and 503 that they have too much to do. */
export function outcomeOfStatus(status: number): UpstreamOutcome {
  if (status < 400) return 'whole';
  if (status === 401 || status === 402 || status === 403) return 'unauthorized';
  if (status === 408 || status === 504) return 'timeout';
  if (status === 429) return 'rate_limited';
  if (status === 503 || status === 529) return 'overloaded';
  return status < 500 ? 'refused' : 'server_error';
}

import type { Upstream } from '@tokone/account-client';
import { GEN_AI_OPERATION, GEN_AI_PROVIDER } from '@tokone/telemetry';
import type { Span, SpanAttributes, Tracing, UpstreamMetrics, UpstreamOutcome } from '@tokone/telemetry';
import type { DispatchHead } from './adapter.js';

export interface AttemptMeasureOptions {
  metrics: UpstreamMetrics;
  tracing: Tracing;
  head: Pick<DispatchHead, 'model' | 'dialect' | 'streamed' | 'traceparent'>;
  /** Milliseconds, monotonic. */
  now: () => number;
}

/** Tells metrics and trace of each attempt of one request, once. */
export class AttemptMeasure {
  private startedAtMs = 0;
  private running = false;
  private status = 0;
  private answering = false;
  private attempts = 0;
  private span: Span | undefined;

  constructor(private readonly options: AttemptMeasureOptions) {}

  begin(upstream: Pick<Upstream, 'upstreamId' | 'platform' | 'baseUrl' | 'modelMapping'>): void {
    this.running = true;
    this.answering = false;
    this.status = 0;
    this.attempts++;
    this.startedAtMs = this.options.now();
    const { head, tracing } = this.options;
    if (head.traceparent === undefined) return;
    const operation = GEN_AI_OPERATION[head.dialect];
    const requestModel = upstream.modelMapping.get(head.model) ?? head.model;
    this.span = tracing.startSpan(head.traceparent, {
      name: `${operation} ${requestModel}`,
      kind: 'client',
      attributes: { operation, provider: GEN_AI_PROVIDER[upstream.platform], requestModel, requestStream: head.streamed, upstreamId: upstream.upstreamId, upstreamAttempt: this.attempts, ...serverOf(upstream.baseUrl) },
    });
  }

  /** The head has come. */
  head(status: number): void {
    this.status = status;
    this.span?.set({ httpStatus: status });
  }

  /** Bytes of an answer that is passed on; those of an error are none. */
  bytes(): void {
    if (this.answering || this.status >= 400) return;
    this.answering = true;
    const { metrics, head, now } = this.options;
    const passedMs = now() - this.startedAtMs;
    metrics.firstByte(head.model, passedMs);
    this.span?.set({ firstChunkSeconds: passedMs / 1000 });
  }

  /** `outcome`: default by the status. */
  end(outcome: UpstreamOutcome = outcomeOfStatus(this.status)): void {
    if (!this.running) return;
    this.running = false;
    const { metrics, head, now } = this.options;
    metrics.ended(head.model, outcome, now() - this.startedAtMs);
    if (outcome !== 'whole') this.span?.fail(outcome);
    this.span?.end();
    this.span = undefined;
  }

  failOver(): void {
    this.options.metrics.failedOver();
  }
}

/** Host and port of a base URL: not its path or a password in it. One that is none fails its attempt elsewhere. */
function serverOf(baseUrl: string): SpanAttributes {
  if (!URL.canParse(baseUrl)) return {};
  const { hostname, port, protocol } = new URL(baseUrl);
  return { serverAddress: hostname, serverPort: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port) };
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

import { isSampled } from '@tokone/protocol';
import type { Span, SpanStart, Tracing } from './tracing.js';

/** The spans of one batch, one for each of its requests that is recorded; each lasts as long as the batch. */
export class BatchSpans {
  private constructor(private readonly spans: ReadonlyMap<string, Span>) {}

  /** `requests`: request id and trace context of each. Of a process that records nothing they are not even looked at. */
  static start(tracing: Tracing, requests: () => Iterable<readonly [requestId: string, traceparent: string | null | undefined]>, start: SpanStart): BatchSpans {
    const spans = new Map<string, Span>();
    if (tracing.enabled) {
      for (const [requestId, traceparent] of requests()) {
        if (!isSampled(traceparent) || spans.has(requestId)) continue;
        const span = tracing.startSpan(traceparent, { ...start, attributes: { ...start.attributes, requestId } });
        if (span) spans.set(requestId, span);
      }
    }
    return new BatchSpans(spans);
  }

  /** The span of a request as a parent of what follows. */
  traceparentOf(requestId: string): string | undefined {
    return this.spans.get(requestId)?.traceparent;
  }

  /** Runs `work`, whose end is the end of all the spans. */
  async around<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      for (const span of this.spans.values()) span.fail(error instanceof Error ? error.name : 'unknown');
      throw error;
    } finally {
      for (const span of this.spans.values()) span.end();
    }
  }
}

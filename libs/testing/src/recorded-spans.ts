import { isSampled, traceIdOf } from '@tokone/protocol';
import type { Span, SpanAttributes, SpanStart, Tracing } from '@tokone/telemetry';

/** A span as the code under test told it. */
export interface RecordedSpan {
  name: string;
  kind: SpanStart['kind'];
  traceparent: string;
  parent: string | undefined;
  attributes: SpanAttributes;
  links: string[];
  failure: string | undefined;
  /** How often it was ended: once is right. */
  ends: number;
}

/** `Tracing` that records everything whose parent is recorded, for specs; what the real one makes of it has a spec of its own. */
export class RecordedSpans implements Tracing {
  readonly enabled = true;
  readonly spans: RecordedSpan[] = [];

  startRequest(requestId: string, start: SpanStart): Span {
    const traceId = traceIdOf(requestId);
    return this.add(start, { traceparent: `00-${traceId}-${traceId.slice(16)}-01`, parent: undefined });
  }

  startSpan(parent: string | null | undefined, start: SpanStart): Span | undefined {
    if (!isSampled(parent)) return undefined;
    const spanId = (this.spans.length + 1).toString(16).padStart(16, '0');
    return this.add(start, { traceparent: `${parent.slice(0, 36)}${spanId}-01`, parent });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  named(name: string): RecordedSpan[] {
    return this.spans.filter((span) => span.name === name);
  }

  private add({ name, kind, attributes = {} }: SpanStart, place: Pick<RecordedSpan, 'traceparent' | 'parent'>): Span {
    const span: RecordedSpan = { name, kind, ...place, attributes: { ...attributes }, links: [], failure: undefined, ends: 0 };
    this.spans.push(span);
    return {
      traceparent: span.traceparent,
      set: (more) => void (span.attributes = { ...span.attributes, ...more }),
      link: (traceparent) => void span.links.push(traceparent),
      fail: (failure) => void (span.failure = failure),
      end: () => void span.ends++,
    };
  }
}

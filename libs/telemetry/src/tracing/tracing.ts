import type { SpanAttributes } from './gen-ai-names.js';

export interface SpanStart {
  /** Few, and never with an id in it. */
  name: string;
  kind: 'server' | 'client' | 'producer' | 'consumer' | 'internal';
  attributes?: SpanAttributes;
}

/** A part of a request that is being recorded. Whoever holds one ends it, once. */
export interface Span {
  /** The span as a parent: W3C trace context, sampled. */
  readonly traceparent: string;
  set(attributes: SpanAttributes): void;
  /** Refers to a trace of somebody else. What is no W3C trace context is left out. */
  link(traceparent: string): void;
  /** `error.type` of a span that fails: a code of ours or a status, never a message, which might quote somebody. */
  fail(errorType: string): void;
  end(): void;
}

/**
 * The trace of each request. Its id is the request id and the id of its first span the last eight bytes of that, so that
 * whoever knows the request, or its charge, knows the trace (`traceparentOf`); whether it is recorded is decided once, at
 * its begin, and travels with it. A span that is not recorded does not exist: `undefined`, at the cost of a branch.
 *
 * Nothing here throws, waits, or keeps more than a bounded number of spans, whatever becomes of the receiver.
 */
export interface Tracing {
  /** False where nothing is ever recorded, for callers that would have to look for a trace. */
  readonly enabled: boolean;
  /** The first span of a request. */
  startRequest(requestId: string, start: SpanStart): Span | undefined;
  /** A span below that of a trace context, of this process or of another one. */
  startSpan(parent: string | null | undefined, start: SpanStart): Span | undefined;
  /** Hands over what is left, for two seconds at most. */
  close(): Promise<void>;
}

/** Where no receiver is named. */
export const noTracing: Tracing = { enabled: false, startRequest: () => undefined, startSpan: () => undefined, close: () => Promise.resolve() };

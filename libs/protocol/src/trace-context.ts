/**
 * The trace of a request, as W3C's "Trace Context" (level 1) writes it: version 00, the request id as trace id, and its
 * last eight bytes as parent id, of which a UUIDv7 fills the first bits with its variant, so it is never all zero. Whoever
 * knows the request id knows the trace and its first span, without anything having been carried. The flag says that no
 * span was recorded; where one was, its own trace context takes this one's place.
 */
export function traceparentOf(requestId: string): string {
  const traceId = traceIdOf(requestId);
  return `00-${traceId}-${traceId.slice(16)}-00`;
}

/** The id of the trace of a request: its own, without dashes. */
export function traceIdOf(requestId: string): string {
  return requestId.replaceAll('-', '').toLowerCase();
}

/** Whether a trace context says that its trace is being recorded. */
export function isSampled(traceparent: string | null | undefined): traceparent is string {
  return traceparent?.endsWith('-01') ?? false;
}

/** What `traceparentOf` writes, and what other tracers may send. */
export const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

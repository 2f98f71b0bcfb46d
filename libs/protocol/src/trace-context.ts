/**
 * The W3C trace context ("Trace Context", level 1) of a request: version 00, the request id as trace id, and its last
 * eight bytes as parent id, of which a UUIDv7 fills the first bits with its variant, so it is never all zero. Not
 * sampled: no span was recorded. Whoever knows the request id knows the trace, without anything having been carried.
 */
export function traceparentOf(requestId: string): string {
  const traceId = requestId.replaceAll('-', '').toLowerCase();
  return `00-${traceId}-${traceId.slice(16)}-00`;
}

/** What `traceparentOf` writes, and what other tracers may send. */
export const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

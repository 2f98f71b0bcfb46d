import type { LogBatch } from '@tokone/messaging';
import { isSampled } from '@tokone/protocol';
import { BatchSpans } from '@tokone/telemetry';
import type { Tracing } from '@tokone/telemetry';
import type { UsageRow } from './usage-row.js';

/** A span for each recorded request of a batch, below the request's first one. */
export function traceRating(tracing: Tracing, { records }: LogBatch): BatchSpans {
  const requests = function* (): Iterable<readonly [string, string | null]> {
    for (const { event } of records) if (event) yield [event.id, event.traceparent];
  };
  return BatchSpans.start(tracing, requests, { name: 'rate usage', kind: 'consumer', attributes: { messagingOperation: 'process', messagingDestination: 'usage.recorded', batchMessages: records.length } });
}

/** What the charges of these rows carry on: the span here, or where this process records nothing, what the event carried. */
export function tracesOf(rows: readonly UsageRow[], spans?: BatchSpans): Record<string, string> | undefined {
  let traces: Record<string, string> | undefined;
  for (const { event: { id, traceparent } } of rows) {
    if (isSampled(traceparent)) (traces ??= {})[id.toLowerCase()] = spans?.traceparentOf(id) ?? traceparent;
  }
  return traces;
}

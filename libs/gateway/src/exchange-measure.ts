import type { UsageOutcome } from '@tokone/events';
import type { AbortedBy, UsageSource } from '@tokone/telemetry';
import type { Exchange } from './exchange.js';
import type { MeasuredUsage } from './measured-usage.js';

/** Who ends a stream early, by the outcome of its request. Others end as they should. */
const ABORTED_BY: Partial<Record<UsageOutcome, AbortedBy>> = { client_left: 'client', balance_exhausted: 'balance', upstream_failed: 'upstream', gateway_failed: 'gateway' };

/** Tells the metrics how an exchange ended. */
export function measureExchange({ context, request, watch, outcome, firstByteAtMs }: Exchange, usage: MeasuredUsage, grantNanoUsd: bigint): void {
  const { metrics } = context;
  if (watch.held > 0n) metrics.holdUsed(Number(grantNanoUsd) / Number(watch.held));
  if (firstByteAtMs !== undefined) metrics.firstByte(Math.max(0, firstByteAtMs - request.startedAtMs));
  const by = ABORTED_BY[outcome];
  if (by !== undefined && request.plan.streamed) metrics.streamAborted(by, usageSourceOf(usage));
}

export function usageSourceOf({ estimated, raw }: Pick<MeasuredUsage, 'estimated' | 'raw'>): UsageSource {
  if (estimated) return 'estimated';
  return raw === null ? 'none' : 'reported';
}

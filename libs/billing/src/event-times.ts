import type { UsageRecorded } from '@tokone/events';
import type { BillingMetrics } from '@tokone/telemetry';
import type { BillingLog } from './billing-log.js';
import type { UsageRow } from './usage-row.js';

/** An end that our clock does not believe. Milliseconds since 1970. */
export interface ClockFault {
  endedAtMs: number;
  seenAtMs: number;
}

const OLDEST_MS = 35 * 24 * 60 * 60 * 1000;
const CLOCK_SKEW_MS = 5 * 60 * 1000;
const MAX_IDS = 20;

/**
 * The event as it is stored. Money does not hang on a clock: the price is the one that the event names. So an event
 * out of the future is charged as one of now, and one that is too old to be true as what it says; both are odd.
 */
export function judgeTimes(event: UsageRecorded, nowMs: number): { event: UsageRecorded; clockFault: ClockFault | undefined } {
  const { startedAtMs, firstByteAtMs, endedAtMs } = event;
  if (endedAtMs >= nowMs - OLDEST_MS && endedAtMs <= nowMs + CLOCK_SKEW_MS) return { event, clockFault: undefined };
  const times = {
    startedAtMs: Math.min(startedAtMs, nowMs),
    firstByteAtMs: firstByteAtMs === null ? null : Math.min(firstByteAtMs, nowMs),
    endedAtMs: Math.min(endedAtMs, nowMs),
  };
  return { event: { ...event, ...times, odd: true }, clockFault: { endedAtMs, seenAtMs: nowMs } };
}

/** One alarm for all of them: a clock that is wrong is wrong for every request. */
export function reportClockFaults({ log, metrics }: { log: BillingLog; metrics: Pick<BillingMetrics, 'alarm'> }, rows: readonly UsageRow[]): void {
  const faulty = rows.filter(({ clockFault }) => clockFault !== undefined);
  const [first] = faulty;
  if (!first) return;
  const ids = faulty.slice(0, MAX_IDS).map(({ event }) => event.id);
  log.error({ requestId: first.event.id, ...first.clockFault, count: faulty.length, ids }, 'a request ended in the future or long ago: it is charged, and marked odd; look at the clocks of gateway and billing');
  metrics.alarm('clock_fault');
}

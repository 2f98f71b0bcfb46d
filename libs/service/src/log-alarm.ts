import type { Logger } from '@tokone/telemetry';

/**
 * An alarm as a log line of level `error`, which is what someone must look at. Money is written as decimal strings. The id of
 * a charge is that of its request, and stands there as such, too: one search finds all lines about a request.
 */
export function logAlarm(logger: Logger, alarm: { kind: string; chargeId?: string }): void {
  const fields = Object.fromEntries(Object.entries(alarm).map(([name, value]): [string, unknown] => [name, plain(value)]));
  logger.error(alarm.chargeId === undefined ? fields : { ...fields, requestId: alarm.chargeId }, `alarm: ${alarm.kind}`);
}

function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  return value instanceof Error ? (value.stack ?? value.message) : value;
}

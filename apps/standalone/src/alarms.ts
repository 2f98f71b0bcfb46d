import type { RaiseAlarm } from '@tokone/account';
import type { Logger } from '@tokone/telemetry';

/** Alarms of the account feature as log lines; `error` is what someone must look at. */
export function logAlarms(logger: Logger): RaiseAlarm {
  return (alarm) => {
    const fields = Object.fromEntries(Object.entries(alarm).map(([name, value]) => [name, typeof value === 'bigint' ? value.toString() : value instanceof Error ? (value.stack ?? value.message) : value]));
    logger.error(fields, `alarm: ${alarm.kind}`);
  };
}

import type { AccountMetrics } from '@tokone/telemetry';
import type { RaiseAlarm } from './account-alarm.js';

/** Counts each alarm before it is handed on. */
export function countedAlarms(raise: RaiseAlarm, metrics: Pick<AccountMetrics, 'alarm' | 'pushFailed'>): RaiseAlarm {
  return (alarm) => {
    metrics.alarm(alarm.kind);
    if (alarm.kind === 'push_failed') metrics.pushFailed(alarm.accountIds.length);
    raise(alarm);
  };
}

import type { AccountMetrics } from '@tokone/telemetry';
import type { RaiseAlarm } from './account-alarm.js';

/** Counts each alarm before it is handed on; of holds that were given back each one. */
export function countedAlarms(raise: RaiseAlarm, metrics: Pick<AccountMetrics, 'alarm' | 'pushFailed'>): RaiseAlarm {
  return (alarm) => {
    metrics.alarm(alarm.kind, alarm.kind === 'holds_left_behind' ? alarm.holds : 1);
    if (alarm.kind === 'push_failed') metrics.pushFailed(alarm.accountIds.length);
    raise(alarm);
  };
}

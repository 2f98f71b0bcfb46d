import { expect, it } from '@jest/globals';
import type { AccountAlarm } from './account-alarm.js';
import { countedAlarms } from './counted-alarms.js';

it('counts an alarm by its kind, holds that were given back one by one, and a push by the accounts that it failed for, and hands it on', () => {
  const told: unknown[] = [];
  const raised: AccountAlarm[] = [];
  const metrics = { alarm: (kind: string, times?: number) => void told.push(`${kind} ${times}`), pushFailed: (accounts: number) => void told.push(accounts) };
  const raise = countedAlarms((alarm) => void raised.push(alarm), metrics);
  raise({ kind: 'push_failed', accountIds: ['a', 'b'], error: new Error('away') });
  raise({ kind: 'sweep_failed', error: new Error('away') });
  raise({ kind: 'holds_left_behind', holds: 3, accountIds: ['a', 'b'] });
  expect(told).toEqual(['push_failed 1', 2, 'sweep_failed 1', 'holds_left_behind 3']);
  expect(raised.map(({ kind }) => kind)).toEqual(['push_failed', 'sweep_failed', 'holds_left_behind']);
});

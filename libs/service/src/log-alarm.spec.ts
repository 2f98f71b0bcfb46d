import { expect, it } from '@jest/globals';
import { silentLogger } from '@tokone/telemetry';
import { logAlarm } from './log-alarm.js';

it('writes an alarm as a line with its fields, money as text and errors with their stack', () => {
  const lines: unknown[][] = [];
  logAlarm({ ...silentLogger, error: (...line) => void lines.push(line) }, { kind: 'wallet_exhausted', shortNanoUsd: 12n, error: new Error('odd'), accountId: 'a' } as { kind: string });
  expect(lines).toEqual([[{ kind: 'wallet_exhausted', shortNanoUsd: '12', error: expect.stringMatching(/^Error: odd\n {4}at/), accountId: 'a' }, 'alarm: wallet_exhausted']]);
});

it('names the request of a charge as a request', () => {
  const lines: unknown[][] = [];
  logAlarm({ ...silentLogger, error: (...line) => void lines.push(line) }, { kind: 'dead_charge', chargeId: 'c' });
  expect(lines).toEqual([[{ kind: 'dead_charge', chargeId: 'c', requestId: 'c' }, 'alarm: dead_charge']]);
});

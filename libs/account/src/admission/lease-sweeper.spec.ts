import { describe, expect, it } from '@jest/globals';
import type { RedisAccounts } from '@tokone/admission';
import type { AccountAlarm } from '../account-alarm.js';
import { LeaseSweeper } from './lease-sweeper.js';
import type { ExpiredHold } from './redis-view.js';

const MINUTE_MS = 60_000;

function hold(requestId: string, { accountId = 'a', expiredForMs = 15 * MINUTE_MS } = {}): ExpiredHold {
  return { requestId, accountId, expiredForMs, value: requestId, owner: 'gone', amountNanoUsd: 1n, leaseUntilMs: 0 } as ExpiredHold;
}

/** One sweep over holds of a gateway that is not there. */
async function sweep(holds: ExpiredHold[], drop: RedisAccounts['drop'], posted: string[] = []): Promise<{ alarms: AccountAlarm[]; error: unknown }> {
  const alarms: AccountAlarm[] = [];
  const sweeper = new LeaseSweeper({
    view: { takeExpired: () => holds },
    accounts: { drop },
    gateways: { live: async () => [] },
    clients: { running: () => Promise.reject(new Error('nobody is there')) },
    fence: { pass: async () => ({ passed: true }) },
    postings: { repeat: async () => ({ posted: new Set(posted) }) },
    raiseAlarm: (alarm) => void alarms.push(alarm),
  });
  const error: unknown = await sweeper.sweep().then(() => undefined, (reason: unknown) => reason);
  return { alarms, error };
}

describe('holds of a gateway that is away', () => {
  it('stay for 15 minutes after their lease, and are given back then', async () => {
    const given: string[] = [];
    const drop: RedisAccounts['drop'] = async (_accountId, records) => given.push(...records.map(({ requestId }) => requestId));
    await sweep([hold('younger', { expiredForMs: 15 * MINUTE_MS - 1 }), hold('older')], drop);
    expect(given).toEqual(['older']);
  });

  it('are told of with how many they are, and only the accounts that had some', async () => {
    const drop: RedisAccounts['drop'] = async (_accountId, records) => records.length;
    const { alarms } = await sweep([hold('1'), hold('2'), hold('3', { accountId: 'b' }), hold('4', { accountId: 'c' })], drop, ['3']);
    expect(alarms).toEqual([{ kind: 'holds_left_behind', holds: 3, accountIds: ['a', 'c'] }]);
  });

  it('are given back on the other nodes of a cluster when one does not answer, which is told', async () => {
    const away = new Error('the node is away');
    const drop: RedisAccounts['drop'] = async (accountId) => (accountId === 'a' ? Promise.reject(away) : 1);
    expect(await sweep([hold('1'), hold('2', { accountId: 'b' })], drop)).toEqual({ alarms: [{ kind: 'holds_left_behind', holds: 1, accountIds: ['b'] }], error: away });
  });
});

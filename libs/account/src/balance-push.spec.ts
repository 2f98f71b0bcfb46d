import { describe, expect, it } from '@jest/globals';
import type { AdmissionPosting } from '@tokone/admission';
import type { AccountAlarm } from './account-alarm.js';
import { pushBalances } from './balance-push.js';

const postings = Array.from({ length: 1_500 }, (_, index) => ({ accountId: `account ${index}`, seq: 1n, balanceNanoUsd: 0n, requestIds: [] }));

describe('telling admission of balances', () => {
  it('goes on with the others when some fail, and raises one alarm for them', async () => {
    const told: string[] = [];
    const alarms: AccountAlarm[] = [];
    const failure = new Error('away');
    const post = async ({ accountId }: AdmissionPosting): Promise<void> => {
      if (accountId === 'account 3' || accountId === 'account 1400') throw failure;
      told.push(accountId);
    };
    await pushBalances({ post }, postings, (alarm) => alarms.push(alarm));
    expect(told).toHaveLength(1_498);
    expect(alarms).toEqual([{ kind: 'push_failed', accountIds: ['account 3', 'account 1400'], error: failure }]);
  });

  it('keeps the number of calls at once within a bound', async () => {
    let running = 0;
    let most = 0;
    const post = async (): Promise<void> => {
      most = Math.max(most, (running += 1));
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
    };
    await pushBalances({ post }, postings, () => {});
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(1_000);
  });
});

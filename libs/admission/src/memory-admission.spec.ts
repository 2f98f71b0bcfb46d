import { describe, expect, it } from '@jest/globals';
import { admissionContract } from './admission.contract.js';
import { admissionSimulation } from './admission-simulation.contract.js';
import type { BalanceSource } from './admission.js';
import { limitsContract } from './limits.contract.js';
import { MemoryAdmission } from './memory-admission.js';

const makeDriver = async (balances: BalanceSource, clock = { nowMs: 0 }) => {
  const admission = new MemoryAdmission({ balances, now: () => clock.nowMs });
  return { admission, unposted: async () => admission.unposted(0), outstanding: async () => admission.outstanding(), atRest: async () => undefined, close: async () => undefined };
};

admissionContract('one process', (balances) => makeDriver(balances));
admissionSimulation('one process', (balances) => makeDriver(balances));
limitsContract('one process', makeDriver);

/** Every account has 100 at sequence 1; `opened` counts the reads of each. */
function accounts() {
  const opened = new Map<string, number>();
  const balances: BalanceSource = {
    async read(accountId) {
      opened.set(accountId, (opened.get(accountId) ?? 0) + 1);
      return { seq: 1n, balanceNanoUsd: 100n };
    },
  };
  return { opened, balances };
}

function take(admission: MemoryAdmission, accountId: string, nanoUsd: bigint) {
  return admission.reserve({ accountId, requestId: `${accountId}-request`, amount: { inputNanoUsd: nanoUsd, worstNanoUsd: nanoUsd, firstStepNanoUsd: 0n, mode: 'limit_stated' } });
}

describe('the view of the sweeper', () => {
  it('names what was settled so long ago, and every loaded account with its sequence', async () => {
    let nowMs = 1_000;
    const admission = new MemoryAdmission({ balances: accounts().balances, now: () => nowMs });
    await take(admission, 'a', 10n);
    await take(admission, 'b', 10n);
    expect(admission.unposted(0)).toEqual([{ accountId: 'a', seq: 1n, requestIds: [] }, { accountId: 'b', seq: 1n, requestIds: [] }]);
    await admission.settle('a', { requestId: 'a-request', costNanoUsd: 5n, heldNanoUsd: 5n });
    nowMs = 2_999;
    expect(admission.unposted(2_000)[0]?.requestIds).toEqual([]);
    nowMs = 3_000;
    expect(admission.unposted(2_000)[0]?.requestIds).toEqual(['a-request']);
    await admission.post({ accountId: 'a', seq: 2n, balanceNanoUsd: 95n, requestIds: ['a-request'] });
    expect(admission.unposted(0)[0]).toEqual({ accountId: 'a', seq: 2n, requestIds: [] });
  });
});

describe('the bound on accounts', () => {
  it('lets go of an account without records when another needs its place', async () => {
    const { opened, balances } = accounts();
    const admission = new MemoryAdmission({ balances, now: () => 0, maxAccounts: 2 });
    for (const accountId of ['a', 'b', 'c']) {
      await take(admission, accountId, 1n);
      await admission.release(accountId, `${accountId}-request`);
    }
    expect(admission.unposted(0)).toHaveLength(2);
    await take(admission, 'a', 1n);
    expect(opened.get('a')).toBe(2);
  });

  it('never lets go of an account with records, held or settled', async () => {
    const { opened, balances } = accounts();
    const admission = new MemoryAdmission({ balances, now: () => 0, maxAccounts: 2 });
    await take(admission, 'held', 60n);
    await take(admission, 'settled', 60n);
    await admission.settle('settled', { requestId: 'settled-request', costNanoUsd: 60n, heldNanoUsd: 60n });
    for (let number = 0; number < 20; number++) {
      await take(admission, `passing-${number}`, 1n);
      await admission.release(`passing-${number}`, `passing-${number}-request`);
    }
    expect(admission.outstanding()).toEqual({ held: 1, settled: 1, heldNanoUsd: 60n });
    expect([opened.get('held'), opened.get('settled')]).toEqual([1, 1]);
  });

  it('does not lose the hold of an account that another one pushed out while it was opened', async () => {
    const admission = new MemoryAdmission({ balances: accounts().balances, now: () => 0, maxAccounts: 1 });
    await Promise.all(['a', 'b', 'c'].map((accountId) => take(admission, accountId, 60n)));
    expect(admission.outstanding()).toEqual({ held: 3, settled: 0, heldNanoUsd: 180n });
  });
});

import { describe, expect, it } from '@jest/globals';
import { AccountOpenings } from './account-openings.js';
import type { AccountOpeningsParts } from './account-openings.js';

const none = (): never => {
  throw new Error('nobody asks for this here');
};

/** Openings of accounts that the ledger, when it answers, does not have. */
function openings(readAll: AccountOpeningsParts['balances']['readAll']): AccountOpenings {
  const unused = new Proxy({}, { get: none }) as never;
  const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return new AccountOpenings({ accounts: unused, gateways: unused, clients: unused, fence: unused, firstOpenings: unused, balances: { readAll }, raiseAlarm: none, onTrouble: () => undefined, now: () => 0, pause, replica: 'spec' });
}

describe('accounts that wait to be opened', () => {
  it('are counted until they are answered, however often it is tried', async () => {
    let ledgerAnswers = false;
    const opener = openings(async () => {
      if (!ledgerAnswers) throw new Error('the database is away');
      return new Map();
    });
    expect(opener.waitingAccounts).toBe(0);
    await opener.open(['a', 'b', 'a'], 1);
    expect(opener.waitingAccounts).toBe(2);
    ledgerAnswers = true;
    expect(await opener.open(['b'], 60_000)).toEqual(new Map([['b', undefined]]));
    expect(opener.waitingAccounts).toBe(0);
    await opener.stop();
  });
});

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
  return new AccountOpenings({ accounts: unused, gateways: unused, clients: unused, fence: unused, firstOpenings: unused, balances: { readAll }, capped: unused, raiseAlarm: none, onTrouble: () => undefined, now: () => 0, pause, replica: 'spec' });
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

  it('are opened although others lie on a node of Redis that is away, which are told of and tried again', async () => {
    const opened: string[] = [];
    const troubles: string[] = [];
    let away = true;
    const ofNode = (accountId: string): void => {
      if (away && accountId.startsWith('lost')) throw new Error('the node is away');
    };
    const balance = { seq: 1n, balanceNanoUsd: 5n };
    const opener = new AccountOpenings({
      accounts: {
        begin: async (accountId) => (ofNode(accountId), 'begun'),
        announce: async (accountId) => (ofNode(accountId), true),
        open: async (accountId) => {
          ofNode(accountId);
          opened.push(accountId);
          return true;
        },
      },
      gateways: { live: async () => [] },
      clients: { announce: none },
      fence: { pass: async () => ({ passed: true }) as never },
      firstOpenings: { take: async () => new Set() },
      balances: { readAll: async (accountIds) => new Map(accountIds.map((accountId) => [accountId, balance])) },
      capped: { note: () => undefined },
      raiseAlarm: none,
      onTrouble: (error) => troubles.push((error as Error).message),
      now: () => 0,
      pause: () => new Promise((resolve) => setImmediate(resolve)),
      replica: 'spec',
    });
    const answers = await opener.open(['lost-1', 'well-1', 'lost-2', 'well-2'], 200);
    expect([...answers.keys()].sort()).toEqual(['well-1', 'well-2']);
    expect(opened.sort()).toEqual(['well-1', 'well-2']);
    expect(troubles[0]).toBe('2 accounts could not be opened: the node is away');
    away = false;
    expect([...(await opener.open(['lost-1', 'lost-2'], 60_000)).keys()].sort()).toEqual(['lost-1', 'lost-2']);
    await opener.stop();
  });

  it('have their turn although a thousand others fail again and again', async () => {
    const lost = Array.from({ length: 1_000 }, (_, number) => `lost-${number}`);
    const begin = async (accountId: string) => (accountId === 'well' ? { ready: 'token' } : Promise.reject(new Error('the node is away')));
    const unused = new Proxy({}, { get: none }) as never;
    const readAll = async (accountIds: readonly string[]) => new Map(accountIds.map((accountId) => [accountId, { seq: 1n, balanceNanoUsd: 5n }]));
    const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    const opener = new AccountOpenings({ accounts: { begin, announce: none, open: none }, gateways: unused, clients: unused, fence: unused, firstOpenings: unused, balances: { readAll }, capped: unused, raiseAlarm: none, onTrouble: () => undefined, now: () => 0, pause, replica: 'spec' });
    expect(await opener.open([...lost, 'well'], 500)).toEqual(new Map([['well', 'token']]));
    await opener.stop();
  });
});

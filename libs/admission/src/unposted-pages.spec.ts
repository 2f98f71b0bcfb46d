import { describe, expect, it } from '@jest/globals';
import type { UnpostedRecords } from './memory-admission.js';
import { UnpostedPages } from './unposted-pages.js';

/** Accounts by name: "w3" waits for three requests, "q" for none. Loading and unloading is adding and deleting. */
class Accounts extends Map<string, UnpostedRecords> {
  constructor(...names: string[]) {
    super();
    for (const name of names) this.load(name);
  }

  load(name: string): void {
    const requests = Number(/\d+$/.exec(name)?.[0] ?? 0);
    this.set(name, { accountId: name, seq: 1n, requestIds: Array.from({ length: requests }, (_, index) => `${name}/${index}`) });
  }

  waiting(): UnpostedRecords[] {
    return [...this.values()].filter(({ requestIds }) => requestIds.length > 0);
  }

  *loaded(): Generator<{ accountId: string; seq: bigint }> {
    for (const { accountId, seq } of this.values()) yield { accountId, seq };
  }
}

function pagesOf(admission: Accounts, maxAccounts: number, maxRequests = 1_000): () => string[] {
  const pages = new UnpostedPages({ admission, maxAccounts, maxRequests });
  return () => pages.next(0).map(({ accountId }) => accountId);
}

describe('the pages of a view', () => {
  it('are one page where everything fits, every time', () => {
    const next = pagesOf(new Accounts('qa', 'w1', 'qb'), 10);
    expect([next(), next()]).toEqual([['w1', 'qa', 'qb'], ['w1', 'qa', 'qb']]);
  });

  it('name those who wait in every page, and all in turns', () => {
    const next = pagesOf(new Accounts('qa', 'w1', 'qb', 'qc', 'qd', 'qe'), 3);
    expect([next(), next(), next(), next()]).toEqual([['w1', 'qa', 'qb'], ['w1', 'qc', 'qd'], ['w1', 'qe'], ['w1', 'qa', 'qb']]);
  });

  it('name everybody who waits in turns, where they alone are too many', () => {
    const next = pagesOf(new Accounts('wa1', 'wb1', 'wc1', 'q'), 2);
    expect([next(), next(), next()]).toEqual([['wa1', 'wb1'], ['wc1', 'wa1'], ['wb1', 'wa1']]);
  });

  it('hold no more requests than their bound', () => {
    const pages = new UnpostedPages({ admission: new Accounts('wa4', 'wb4', 'wc4'), maxAccounts: 2, maxRequests: 6 });
    const requests = () => pages.next(0).map(({ requestIds }) => requestIds.length);
    expect([requests(), requests()]).toEqual([[4, 2], [4, 2]]);
  });

  it('reach every account that stays within one round, whoever comes and goes meanwhile', () => {
    const names = Array.from({ length: 1_000 }, (_, index) => `q-${index}-`);
    const accounts = new Accounts(...names);
    const wanted = new Set(names.slice(100));
    const next = pagesOf(accounts, 50);
    for (let page = 0; page < 22; page += 1) {
      for (const name of next()) wanted.delete(name);
      accounts.delete(`q-${page}-`);
      accounts.load(`new-${page}-`);
    }
    expect(wanted.size).toBe(0);
  });
});

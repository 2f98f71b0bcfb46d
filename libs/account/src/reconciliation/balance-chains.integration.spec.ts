import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startLedgerDatabase } from '../fixtures/ledger-database.js';
import type { LedgerDatabase } from '../fixtures/ledger-database.js';
import { ChargePosting } from '../posting.js';
import { checkBalanceChains } from './balance-chains.js';
import { Findings } from './check-report.js';
import { checkLedgerSums } from './ledger-sums.js';

let ledger: LedgerDatabase;
let posting: ChargePosting;
let accountId: string;

beforeAll(async () => {
  ledger = await startLedgerDatabase();
  posting = new ChargePosting(ledger.pool, () => undefined);
});
afterAll(() => ledger.stop());
beforeEach(async () => {
  await tamper('TRUNCATE account.entries, account.transfers, account.reconciled_balances; UPDATE account.ledger_accounts SET balance = 0, seq = 0');
  accountId = await ledger.fundedAccount(1_000_000n);
});

const post = (count: number): Promise<unknown> => posting.post(Array.from({ length: count }, () => ledger.charge(accountId, 1n)));
const tamper = (sql: string): Promise<unknown> => ledger.pool.query(`BEGIN; SET LOCAL session_replication_role = replica; ${sql}; COMMIT`);
const wallet = (): string => `(SELECT id FROM account.ledger_accounts WHERE account_id = '${accountId}')`;

async function chains(full = false): Promise<string[]> {
  const findings = new Findings();
  await checkBalanceChains(ledger.pool, findings, full);
  return findings.subjects.map(({ subject, detail }) => `${subject}: ${detail}`);
}

async function sums(options = { full: true, again: [] as string[] }): Promise<string[]> {
  const findings = new Findings();
  await checkLedgerSums(ledger.pool, findings, options);
  return findings.subjects.map(({ subject, detail }) => `${subject}: ${detail}`);
}

describe('the chain of entries of each ledger account', () => {
  it('is walked in steps, over more entries than one statement reads, and noted', async () => {
    await post(12_000);
    expect(await chains()).toEqual([]);
    const { rows } = await ledger.pool.query(`SELECT r.seq, r.balance FROM account.reconciled_balances r WHERE ledger_account_id = ${wallet()}`);
    expect(rows).toEqual([{ seq: 12_001n, balance: 988_000n }]);
    expect(await chains(true)).toEqual([]);
    expect(await sums()).toEqual([]);
  });

  it('is walked on from where it was found right', async () => {
    await post(3);
    expect(await chains()).toEqual([]);
    await post(3);
    await tamper(`UPDATE account.entries SET balance_after = balance_after + 1 WHERE ledger_account_id = ${wallet()} AND seq = 6`);
    expect(await chains()).toEqual([expect.stringMatching(/\(wallet\): the balance behind entry 6 is 999996 instead of 999995$/)]);
    expect(await chains()).toHaveLength(1);
  });

  it('is walked from its first entry in a full run, and from then on until it is right', async () => {
    await post(5);
    expect(await chains()).toEqual([]);
    await tamper(`UPDATE account.entries SET balance_after = balance_after + 1 WHERE ledger_account_id = ${wallet()} AND seq = 2`);
    expect(await chains()).toEqual([]);
    expect(await chains(true)).toEqual([expect.stringContaining('the balance behind entry 2')]);
    expect(await chains()).toEqual([expect.stringContaining('the balance behind entry 2')]);
    await tamper(`UPDATE account.entries SET balance_after = balance_after - 1 WHERE ledger_account_id = ${wallet()} AND seq = 2`);
    expect(await chains()).toEqual([]);
  });

  it.each([
    ['a balance that was changed, without an entry', () => `UPDATE account.ledger_accounts SET balance = balance + 5 WHERE id = ${wallet()}`, 'its balance is 999999, its 7 entries sum to 999994'],
    ['a sequence that was changed', () => `UPDATE account.ledger_accounts SET seq = seq + 1 WHERE id = ${wallet()}`, 'its sequence is 8, that of its last entry 7'],
    ['an entry that is gone', () => `DELETE FROM account.entries WHERE ledger_account_id = ${wallet()} AND seq = 6`, 'between its sequences 5 and 7 stand 2 entries instead of 3'],
    ['a last entry that is gone', () => `DELETE FROM account.entries WHERE ledger_account_id = ${wallet()} AND seq = 7`, 'its sequence is 7, that of its last entry 6'],
    ['a state that is older than what was found right', () => `DELETE FROM account.entries WHERE ledger_account_id = ${wallet()} AND seq > 2; UPDATE account.ledger_accounts SET seq = 2, balance = 999999 WHERE id = ${wallet()}`, 'its sequence is 2 and was 4'],
  ])('shows %s', async (_what, sql, detail) => {
    await post(3);
    expect(await chains()).toEqual([]);
    await post(3);
    await tamper(sql());
    expect(await chains()).toContainEqual(expect.stringContaining(detail));
  });

  it('is found right while charges are posted', async () => {
    const running = (async () => {
      for (let batch = 0; batch < 20; batch++) await post(50);
    })();
    for (let look = 0; look < 5; look++) expect([await chains(), await chains(true), await sums()]).toEqual([[], [], []]);
    await running;
    expect(await chains()).toEqual([]);
  });
});

describe('the sum of all entries', () => {
  const aCharge = `(SELECT transfer_id FROM account.entries WHERE leg = 3 ORDER BY 1 LIMIT 1)`;

  it('is not 0 when a leg is too high: its transfer is named, over more entries than one page', async () => {
    await post(10_500);
    const { rows } = await ledger.pool.query<{ id: string }>(`SELECT transfer_id AS id FROM account.entries WHERE leg = 3 ORDER BY 1 DESC LIMIT 1`);
    await tamper(`UPDATE account.entries SET amount = amount + 7 WHERE transfer_id = '${rows[0]?.id}' AND leg = 3`);
    expect(await sums()).toEqual([`${rows[0]?.id}: its legs sum to 7`]);
  });

  it('is that of all balances, in every run', async () => {
    await tamper(`UPDATE account.ledger_accounts SET balance = balance + 5 WHERE id = ${wallet()}`);
    expect(await sums({ full: false, again: [] })).toEqual(['all balances: they sum to 5']);
  });

  it('of a transfer that was named before is looked at again until it is 0', async () => {
    await post(3);
    const { rows } = await ledger.pool.query<{ id: string }>(`SELECT ${aCharge} AS id`);
    const id = rows[0]?.id ?? '';
    await tamper(`UPDATE account.entries SET amount = amount + 7 WHERE transfer_id = '${id}' AND leg = 3`);
    expect(await sums({ full: false, again: [] })).toEqual([]);
    expect(await sums({ full: false, again: [id] })).toEqual([`${id}: its legs sum to 7`]);
  });
});

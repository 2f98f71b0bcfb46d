import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startLedgerDatabase } from './fixtures/ledger-database.js';
import type { LedgerDatabase } from './fixtures/ledger-database.js';
import { Limits } from './limits.js';
import { Users } from './users.js';

let ledger: LedgerDatabase;
let users: Users;
beforeAll(async () => {
  ledger = await startLedgerDatabase({ asRole: true });
  const { database, pool, ids } = ledger.feature.parts;
  users = new Users(database, pool, ids);
});
afterAll(() => ledger.stop());

describe('users of an account', () => {
  it('are made once of each name, however many ask at a time, with one audit line', async () => {
    const accountId = await ledger.fundedAccount(0n);
    const made = await Promise.allSettled(Array.from({ length: 8 }, () => users.create({ accountId, name: 'Ada', actor: 'test' })));
    expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const result of made) if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'conflict', message: 'This account has a user "Ada" already.' });
    const { rows } = await ledger.pool.query(`SELECT after FROM account.audit_log WHERE action = 'user.created'`);
    expect(rows).toEqual([{ after: { accountId, name: 'Ada' } }]);
  });

  it('come in order of creation, page by page, and no other account sees them', async () => {
    const [accountId, other] = [await ledger.fundedAccount(0n), await ledger.fundedAccount(0n)];
    const names = ['c', 'a', 'b'];
    for (const name of names) await users.create({ accountId, name, actor: 'test' });
    const first = await users.list({ accountId, after: undefined, limit: 2 });
    const rest = await users.list({ accountId, after: first.at(-1)?.id, limit: 2 });
    expect([...first, ...rest].map(({ name }) => name)).toEqual(names);
    expect(await users.list({ accountId: other, after: undefined, limit: 2 })).toEqual([]);
  });

  it('have keys of their own account alone, which the database itself keeps to', async () => {
    const [accountId, other] = [await ledger.fundedAccount(0n), await ledger.fundedAccount(0n)];
    const { id: userId } = await users.create({ accountId, name: 'Ada', actor: 'test' });
    await ledger.pool.query(`INSERT INTO account.groups (id, name, platform) VALUES ($1, 'g', 'openai')`, [ledger.ids.next()]);
    const { id } = await ledger.feature.keys.issue({ accountId: other, group: 'g', name: '', actor: 'test' });
    await expect(ledger.pool.query('UPDATE account.keys SET user_id = $1 WHERE id = $2', [userId, id])).rejects.toMatchObject({ code: '23503' });
  });
});

describe('limits', () => {
  it('are the last ones that were set, whole, when many set them at a time', async () => {
    const limits = new Limits(ledger.pool);
    const accountId = await ledger.fundedAccount(0n);
    await Promise.all(Array.from({ length: 10 }, (_, index) => limits.set({ accountId }, index % 2 === 0 ? { requestsPerMinute: index + 1 } : { tokensPerMinute: index + 1 }, 'test')));
    const { rows } = await ledger.pool.query<{ requests_per_minute: number | null; tokens_per_minute: number | null }>('SELECT requests_per_minute, tokens_per_minute FROM account.limits WHERE account_id = $1', [accountId]);
    expect(rows).toHaveLength(1);
    expect([rows[0]?.requests_per_minute, rows[0]?.tokens_per_minute].filter((one) => one !== null)).toHaveLength(1);
    const { rows: audit } = await ledger.pool.query(`SELECT before FROM account.audit_log WHERE action = 'limits.set' AND subject = $1`, [accountId]);
    expect(audit).toHaveLength(10);
    expect(audit.filter(({ before }) => JSON.stringify(before) === '{}')).toHaveLength(1);
  });

  it.each([
    ['of nobody', '(requests_per_minute) VALUES (1)'],
    ['without any limit', `(account_id) SELECT id FROM account.accounts LIMIT 1`],
    ['of a user and an account', `(user_id, account_id, requests_per_minute) SELECT id, account_id, 1 FROM account.users LIMIT 1`],
    ['of none at all', `(account_id, requests_per_minute) SELECT id, 0 FROM account.accounts LIMIT 1`],
  ])('never have a row %s', async (_title, row) => {
    await expect(ledger.pool.query(`INSERT INTO account.limits ${row}`)).rejects.toMatchObject({ code: '23514' });
  });
});

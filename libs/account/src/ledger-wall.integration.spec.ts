import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { inTransaction, runMigrations } from '@tokone/persistence';
import { ACCOUNT_SCHEMA } from './account-schema.js';
import { insertAccount } from './accounts.js';
import { writeAudit } from './audit.js';
import { AuditEntity } from './entities/ledger.entity.js';
import { startLedgerDatabase } from './fixtures/ledger-database.js';
import type { LedgerDatabase } from './fixtures/ledger-database.js';
import { ledgerFaults } from './fixtures/ledger-faults.js';
import { ChargePosting } from './posting.js';
import { TopUps } from './top-ups.js';
import { postTransfer } from './transfer.js';
import { Transfers } from './transfers.js';

let ledger: LedgerDatabase;
let topUps: TopUps;
let pushed: unknown[];

beforeAll(async () => {
  ledger = await startLedgerDatabase();
  const raiseAlarm = (): void => {};
  topUps = new TopUps(ledger.pool, { post: async (posting) => void pushed.push(posting) }, raiseAlarm);
  pushed = [];
});
afterAll(() => ledger.stop());

describe('the schema', () => {
  it('is complete: migrating again finds nothing to do, and every entity can be read', async () => {
    const { database } = ledger.feature.parts;
    expect(await runMigrations(database)).toEqual([]);
    for (const entity of ACCOUNT_SCHEMA.entities) await expect(database.getRepository(entity).find({ take: 1 })).resolves.toBeDefined();
  });

  it.each([
    ['transfers', 'memo'],
    ['entries', 'amount'],
    ['audit_log', 'actor'],
  ])('refuses to change or remove what stands in %s', async (table, column) => {
    await ledger.fundedAccount(1n);
    for (const sql of [`UPDATE account.${table} SET ${column} = ${column}`, `DELETE FROM account.${table}`, `TRUNCATE account.${table}`]) {
      await expect(ledger.pool.query(sql)).rejects.toThrow('append only');
    }
  });

  it('refuses a wallet below 0, whoever writes it', async () => {
    const accountId = await ledger.fundedAccount(5n);
    const sql = 'UPDATE account.ledger_accounts SET balance = balance - 6 WHERE account_id = $1';
    await expect(ledger.pool.query(sql, [accountId])).rejects.toThrow('wallet_not_below_zero');
  });
});

describe('top-ups', () => {
  it('add once per id, give the first answer again, and tell admission', async () => {
    const accountId = await ledger.fundedAccount(0n);
    const topUp = { id: ledger.ids.next(), accountId, amountNanoUsd: 70n, memo: 'invoice 7', actor: 'test' };
    const first = await topUps.topUp(topUp);
    await topUps.topUp({ ...topUp, id: ledger.ids.next() });
    expect(first).toEqual({ transferId: topUp.id, seq: 1n, balanceNanoUsd: 70n, isNew: true });
    expect(await topUps.topUp(topUp)).toEqual({ ...first, isNew: false });
    expect(await ledger.wallet(accountId)).toEqual({ seq: 2n, balanceNanoUsd: 140n });
    expect(pushed.at(1)).toEqual({ accountId, seq: 2n, balanceNanoUsd: 140n, requestIds: [] });
  });

  it('add once when the same id comes many times at once', async () => {
    const accountId = await ledger.fundedAccount(0n);
    const topUp = { id: ledger.ids.next(), accountId, amountNanoUsd: 9n, actor: 'test' };
    const receipts = await Promise.all(Array.from({ length: 8 }, () => topUps.topUp(topUp)));
    expect(receipts.filter(({ isNew }) => isNew)).toHaveLength(1);
    expect(receipts.every(({ balanceNanoUsd }) => balanceNanoUsd === 9n)).toBe(true);
  });

  it('refuse an id that was used with other content, an unknown account and amounts out of range', async () => {
    const accountId = await ledger.fundedAccount(0n);
    const topUp = { id: ledger.ids.next(), accountId, amountNanoUsd: 9n, actor: 'test' };
    await topUps.topUp(topUp);
    await expect(topUps.topUp({ ...topUp, amountNanoUsd: 10n })).rejects.toMatchObject({ code: 'conflict' });
    await expect(topUps.topUp({ ...topUp, accountId: await ledger.fundedAccount(0n) })).rejects.toMatchObject({ code: 'conflict' });
    await expect(topUps.topUp({ ...topUp, id: ledger.ids.next(), accountId: ledger.ids.next() })).rejects.toMatchObject({ code: 'not_found' });
    for (const amountNanoUsd of [0n, -1n, 10n ** 16n]) {
      await expect(topUps.topUp({ ...topUp, id: ledger.ids.next(), amountNanoUsd })).rejects.toMatchObject({ code: 'invalid_request' });
    }
    expect((await ledger.wallet(accountId)).balanceNanoUsd).toBe(9n);
  });

  it('and charges at the same time neither block for ever nor lose an amount', async () => {
    const accountId = await ledger.fundedAccount(1_000n);
    const posting = new ChargePosting(ledger.pool, (alarm) => ledger.alarms.push(alarm));
    await Promise.all(
      Array.from({ length: 30 }, async (_, index) => {
        if (index % 2) await topUps.topUp({ id: ledger.ids.next(), accountId, amountNanoUsd: 3n, actor: 'test' });
        else await posting.post([ledger.charge(accountId, 2n), ledger.charge(accountId, 1n)]);
      }),
    );
    expect(await ledger.wallet(accountId)).toEqual({ seq: 46n, balanceNanoUsd: 1_000n });
    expect(await ledgerFaults(ledger.pool)).toEqual([]);
  });
});

describe('a transfer', () => {
  it('is refused whole when its legs do not sum to 0', async () => {
    const accountId = await ledger.fundedAccount(0n);
    const legs = [{ kind: 'wallet', amountNanoUsd: 5n }, { kind: 'adjustment', amountNanoUsd: -4n }] as const;
    const draft = { id: ledger.ids.next(), kind: 'adjustment', accountId, amountNanoUsd: 5n, memo: undefined, legs } as const;
    await expect(inTransaction(ledger.pool, (client) => postTransfer(client, draft))).rejects.toThrow('sum to 1');
    expect((await ledger.wallet(accountId)).balanceNanoUsd).toBe(0n);
  });

  it('can be read with all its legs', async () => {
    const accountId = await ledger.fundedAccount(0n);
    const id = ledger.ids.next();
    await topUps.topUp({ id, accountId, amountNanoUsd: 4n, memo: 'why', actor: 'test' });
    const transfers = new Transfers(ledger.feature.parts.database);
    expect(await transfers.find(id)).toMatchObject({
      kind: 'top_up', accountId, amountNanoUsd: 4n, grantedNanoUsd: null, memo: 'why', createdAt: expect.any(Date),
      entries: [{ kind: 'wallet', seq: 1n, amountNanoUsd: 4n, balanceAfterNanoUsd: 4n }, { kind: 'top_up_clearing', amountNanoUsd: -4n }],
    });
    expect(await transfers.find(ledger.ids.next())).toBeUndefined();
  });
});

describe('the audit log', () => {
  it('holds a line for each change, and none for a change that was taken back', async () => {
    const audit = ledger.feature.parts.database.getRepository(AuditEntity);
    const [kept, undone] = [ledger.ids.next(), ledger.ids.next()];
    await inTransaction(ledger.pool, async (client) => {
      await insertAccount(client, { id: kept, name: 'kept', actor: 'test' });
      await writeAudit(client, { actor: 'test', action: 'account.renamed', subject: kept, before: { name: 'a' }, after: { name: 'b' } });
    });
    const broken = inTransaction(ledger.pool, async (client) => {
      await insertAccount(client, { id: undone, name: 'undone', actor: 'test' });
      throw new Error('taken back');
    });
    await expect(broken).rejects.toThrow('taken back');
    expect(await audit.find({ where: { subject: kept }, order: { id: 'ASC' } })).toMatchObject([
      { actor: 'test', action: 'account.created', before: null, after: { name: 'kept' }, at: expect.any(Date) },
      { actor: 'test', action: 'account.renamed', before: { name: 'a' }, after: { name: 'b' } },
    ]);
    expect(await audit.countBy({ subject: undone })).toBe(0);
    await expect(ledger.feature.accounts.find(undone)).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('reconciliation', () => {
  async function tampered(table: string, sql: string): Promise<string[]> {
    const client = await ledger.pool.connect();
    try {
      await client.query(`BEGIN; ALTER TABLE account.${table} DISABLE TRIGGER USER`);
      await client.query(sql);
      const single = { query: client.query.bind(client) } as unknown as LedgerDatabase['pool'];
      return (await ledgerFaults(single)).map(({ check }) => check);
    } finally {
      await client.query('ROLLBACK');
      client.release();
    }
  }

  beforeAll(async () => {
    const accountId = await ledger.fundedAccount(100n);
    const posting = new ChargePosting(ledger.pool, (alarm) => ledger.alarms.push(alarm));
    await posting.post([ledger.charge(accountId, 10n), ledger.charge(accountId, 20n)]);
  });

  const last = '(SELECT max(transfer_id::text)::uuid FROM account.entries)';
  it.each([
    ['an entry of another amount', 'entries', `UPDATE account.entries SET amount = amount + 1 WHERE transfer_id = ${last} AND leg = 3`, ['R1', 'R2', 'R3']],
    ['a transfer of another amount', 'transfers', `UPDATE account.transfers SET amount = amount + 1 WHERE id = ${last}`, ['R3']],
    ['a charge above its grant', 'transfers', `UPDATE account.transfers SET granted = granted - 1 WHERE id = ${last}`, ['R3']],
    ['a charge that its wallet did not pay, although it could', 'transfers', `UPDATE account.transfers SET granted = granted + 1 WHERE id = ${last}`, ['R3']],
    ['entries that are gone', 'entries', `DELETE FROM account.entries WHERE transfer_id = ${last}`, ['R2', 'R3']],
    ['a balance that was changed', 'ledger_accounts', `UPDATE account.ledger_accounts SET balance = balance + 1 WHERE kind = 'refund'`, ['R1', 'R2']],
    ['a balance_after that was changed', 'entries', `UPDATE account.entries SET balance_after = 0 WHERE transfer_id = ${last} AND leg = 3`, ['R2']],
    ['an entry of no account', 'entries', `UPDATE account.entries SET ledger_account_id = -1 WHERE transfer_id = ${last} AND leg = 3`, ['R2', 'R3']],
    ['entries of no transfer', 'transfers', `DELETE FROM account.transfers WHERE id = ${last}`, ['R3']],
  ])('finds %s', async (_case, table, sql, checks) => {
    expect([...new Set(await tampered(table, sql))]).toEqual(checks);
  });

  it('finds nothing when nothing was changed', async () => {
    expect(await ledgerFaults(ledger.pool)).toEqual([]);
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { openPool } from '@tokone/persistence';
import type { Pool } from '@tokone/persistence';
import { databaseCheck } from '@tokone/service';
import { waitFor } from '@tokone/testing';
import { prepareAccount } from './account-preparation.js';
import { ACCOUNT_SCHEMA } from './account-schema.js';
import { BalanceSweeper } from './balance-sweeper.js';
import { ChangePublication } from './change-publication.js';
import { SERVICE_ROLE, startLedgerDatabase } from './fixtures/ledger-database.js';
import type { LedgerDatabase } from './fixtures/ledger-database.js';
import { ledgerFaults } from './fixtures/ledger-faults.js';
import { PostgresGatewayRegistry } from './gateway-registry.js';
import { keyDigest } from './key-digest.js';
import { ChargePosting } from './posting.js';

let ledger: LedgerDatabase;
let owner: Pool;

beforeAll(async () => {
  ledger = await startLedgerDatabase({ asRole: true });
  owner = openPool({ url: ledger.adminUrl, poolSize: 2, statementTimeoutMs: 10_000 });
  await owner.query('CREATE SCHEMA billing; CREATE TABLE billing.usage (id uuid); INSERT INTO billing.usage VALUES (gen_random_uuid())');
});
afterAll(async () => {
  await owner.end();
  await ledger.stop();
});

const post = async (): Promise<void> => undefined;

describe('the role of the account service', () => {
  it('is who the feature works as', async () => {
    expect((await ledger.pool.query('SELECT current_user AS name')).rows).toEqual([{ name: SERVICE_ROLE.name }]);
  });

  it('can do all that the service does', async () => {
    const { feature, pool, ids } = ledger;
    const { accountId, newKeys } = await feature.deployment.ensureQuickstart([{ name: 'OpenAI', platform: 'openai', baseUrl: 'https://one.example', credential: 'secret' }]);
    await feature.deployment.setGroupUpstream('OpenAI', { baseUrl: 'https://two.example', credential: 'another' });
    const key = await feature.directory.findKey(keyDigest(feature.parts.pepper, newKeys.get('OpenAI') ?? ''));
    expect(key).toMatchObject({ accountId, groupName: 'OpenAI' });
    expect(await feature.upstreams.upstreamsOf(key?.groupId ?? '')).toMatchObject([{ credential: 'another' }]);
    await feature.keys.disable(key?.keyId ?? '', 'test');
    const funded = await ledger.fundedAccount(100n);
    const [charge, free, dead] = [ledger.charge(funded, 30n), ledger.charge(funded, 0n), ledger.charge(ids.next(), 1n)];
    const posting = new ChargePosting(pool, (alarm) => ledger.alarms.push(alarm));
    await posting.post([charge, free, dead]);
    await posting.post([charge, free, dead]);
    expect(await feature.balances.balanceOf(funded)).toBe(70n);
    expect(await feature.transfers.find(charge.id)).toMatchObject({ amountNanoUsd: 30n });
    expect(await feature.accounts.find(funded)).toMatchObject({ balanceNanoUsd: 70n });
    await new BalanceSweeper({ pool, view: { unposted: () => [{ accountId: funded, seq: 0n, requestIds: [charge.id] }] }, admission: { post }, raiseAlarm: () => undefined }).sweep();
    expect(await ledgerFaults(pool)).toEqual([]);
    for (const entity of ACCOUNT_SCHEMA.entities) await expect(feature.parts.database.getRepository(entity).find({ take: 1 })).resolves.toBeDefined();
  });

  it('keeps gateways, and publishes what it changed', async () => {
    const registry = new PostgresGatewayRegistry(ledger.pool);
    const gateway = { gatewayId: ledger.ids.next(), instanceId: ledger.ids.next(), url: 'http://127.0.0.1:7100' };
    await registry.heartbeat(gateway);
    expect(await registry.live()).toMatchObject([gateway]);
    await registry.leave(gateway);
    const publication = new ChangePublication({ pool: ledger.pool, publisher: { publish: post }, raiseAlarm: (alarm) => ledger.alarms.push(alarm) });
    publication.start();
    try {
      const isEmpty = async (): Promise<boolean> => (await ledger.pool.query('SELECT 1 FROM account.changes')).rowCount === 0;
      await waitFor(isEmpty, { what: 'the changes to be published', deadlineMs: 10_000 });
    } finally {
      await publication.stop();
    }
  });

  it.each([
    'SELECT * FROM billing.usage',
    'INSERT INTO billing.usage VALUES (gen_random_uuid())',
    ...['transfers', 'entries', 'audit_log', 'zero_charges'].flatMap((table) => [`DELETE FROM account.${table}`, `TRUNCATE account.${table}`, `DROP TABLE account.${table}`]),
    'UPDATE account.entries SET amount = 1',
    'UPDATE account.transfers SET amount = 1',
    `UPDATE account.audit_log SET actor = 'nobody'`,
    'DROP TRIGGER append_only ON account.entries',
    'ALTER TABLE account.entries DISABLE TRIGGER append_only',
    'ALTER TABLE account.ledger_accounts DROP CONSTRAINT wallet_not_below_zero',
    `CREATE OR REPLACE FUNCTION account.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$`,
    'DELETE FROM account.migrations',
    'CREATE TABLE account.own (id int)',
    'SET ROLE tokone',
  ])('is refused %s', async (sql) => {
    await expect(ledger.pool.query(sql)).rejects.toMatchObject({ code: '42501' });
  });

  it('is refused what is written once even where the grants are gone: the trigger stands behind them', async () => {
    await owner.query(`GRANT UPDATE, DELETE ON account.entries TO ${SERVICE_ROLE.name}`);
    await expect(ledger.pool.query('DELETE FROM account.entries')).rejects.toThrow('append only');
    await prepareAccount({ adminUrl: ledger.adminUrl, role: SERVICE_ROLE });
    await expect(ledger.pool.query('DELETE FROM account.entries')).rejects.toThrow('permission denied');
  });
});

describe('the preparation', () => {
  it('finds nothing to do the second time, and for many at once', async () => {
    const preparations = Array.from({ length: 4 }, () => prepareAccount({ adminUrl: ledger.adminUrl, role: SERVICE_ROLE }));
    expect((await Promise.all(preparations)).flat()).toEqual([]);
  });

  it('does not disturb a service at work', async () => {
    const [accountId, posting] = [await ledger.fundedAccount(1_000n), new ChargePosting(ledger.pool, () => undefined)];
    const preparing = prepareAccount({ adminUrl: ledger.adminUrl, role: SERVICE_ROLE });
    for (let count = 0; count < 50; count += 1) await posting.post([ledger.charge(accountId, 1n)]);
    await preparing;
    expect(await ledger.feature.balances.balanceOf(accountId)).toBe(950n);
  });
});

describe('the check of the database', () => {
  it('finds nothing wrong with tables that answer, and says what is wrong without naming the server', async () => {
    expect(await databaseCheck(ledger.pool, 'account').problem()).toBeUndefined();
    await owner.query('REVOKE SELECT ON account.migrations FROM tokone_account');
    expect(await databaseCheck(ledger.pool, 'account').problem()).toBe('PostgreSQL does not answer, or has no tables of the account service yet.');
    await owner.query('GRANT SELECT ON account.migrations TO tokone_account');
  });
});

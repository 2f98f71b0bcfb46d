import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { RatedCharge, UsageDead } from '@tokone/events';
import { openPool } from '@tokone/persistence';
import type { Pool } from '@tokone/persistence';
import { openBilling } from './billing.js';
import type { Billing } from './billing.js';
import { migrateBilling } from './billing-schema.js';
import { startBillingDatabase, until } from './fixtures/billing-database.js';
import type { BillingDatabase } from './fixtures/billing-database.js';
import { KEY_ID, NOW_MS, RecordedLog, TEST_SEED, batchOf, usageEvent } from './fixtures/usage-events.js';
import { prepareBilling } from './prepare-billing.js';

const ROLE = { name: 'tokone_billing', password: 'a password of "billing"\'s'.replaceAll(' ', '-') };

let database: BillingDatabase;
let roleUrl: string;
const log = new RecordedLog();
const now = (): number => NOW_MS;

beforeAll(async () => {
  database = await startBillingDatabase();
  const url = new URL(database.url);
  [url.username, url.password] = [ROLE.name, encodeURIComponent(ROLE.password)];
  roleUrl = url.href;
});
afterAll(async () => {
  await database.close();
});
beforeEach(async () => {
  await database.clear();
});

const prepare = () => prepareBilling({ adminUrl: database.url, role: ROLE, priceSeed: TEST_SEED, now, log });

async function withService(work: (billing: Billing) => Promise<void>): Promise<void> {
  const billing = await openBilling({ databaseUrl: roleUrl, prepared: true, log, now });
  try {
    await work(billing);
  } finally {
    await billing.stop();
  }
}

describe('a prepared database', () => {
  it('is prepared once, however many commands run at the same time', async () => {
    await Promise.all([prepare(), prepare(), prepare()]);
    await prepare();
    const { rows } = await database.pool.query('SELECT count(*)::int AS versions FROM billing.price_book');
    expect(rows).toEqual([{ versions: 1 }]);
  });

  it('lets the role of the service do everything that billing does', async () => {
    await prepare();
    const [charges, dead]: [RatedCharge[], UsageDead[]] = [[], []];
    await withService(async (billing) => {
      const [event, poison, unpriced] = [usageEvent(), usageEvent({ groupId: 'not an id' }), usageEvent({ priceId: '2/test-model' })];
      await billing.usageConsumer.handle(batchOf([event, poison, unpriced]));
      await billing.usageConsumer.handle(batchOf([{ ...event, requestBytes: 1 }], { first: 3n }));
      await billing.startParkedRating();
      const publishers = { charges: { publish: async (batches: readonly (readonly RatedCharge[])[]) => void charges.push(...batches.flat()) }, dead: { publish: async (records: readonly UsageDead[]) => void dead.push(...records) } };
      billing.startPublishing(publishers);
      await until(() => dead.length === 1 && charges.length === 1);
      expect(await billing.outbox.passed(5_000)).toBe(true);
      expect((await billing.chargeStatements.explainCharge(event.id))?.state).toBe('rated');
      const { total } = await billing.usageQuery.ofKey(KEY_ID, { startDate: '2026-11-01', endDate: '2026-11-23', days: 30, timezone: 'UTC' });
      expect([total.requests, await billing.usageConsumer.cursor('spool'), billing.healthChecks().length]).toEqual([1, 4n, 1]);
      for (const { problem } of billing.healthChecks()) expect(await problem()).toBeUndefined();
    });
    expect([charges.length, dead.length]).toEqual([1, 1]);
  });

  it('keeps what it holds when a service comes with prices of its own', async () => {
    await prepare();
    const billing = await openBilling({ databaseUrl: roleUrl, prepared: true, log, now, priceSeed: { ...TEST_SEED, models: {} } });
    expect(billing.priceBook.models()).toHaveLength(1);
    await billing.stop();
  });
});

describe('the role of the service', () => {
  let pool: Pool;
  beforeAll(async () => {
    await prepare();
    await database.pool.query(`CREATE SCHEMA other; CREATE TABLE other.secrets (a text)`);
    pool = openPool({ url: roleUrl, poolSize: 2, statementTimeoutMs: 5_000 });
  });
  afterAll(async () => {
    await pool.end();
  });

  it.each([
    ['change a usage row', 'UPDATE billing.usage SET charge_nano_usd = 0'],
    ['remove usage rows', 'DELETE FROM billing.usage'],
    ['empty the usage rows', 'TRUNCATE billing.usage'],
    ['change a price', `UPDATE billing.price_row SET prices = '{}'`],
    ['remove a price', 'DELETE FROM billing.price_row'],
    ['remove a version of the price book', 'DELETE FROM billing.price_book'],
    ['switch the triggers off', 'ALTER TABLE billing.usage DISABLE TRIGGER append_only'],
    ['switch the triggers off for itself', 'SET session_replication_role = replica'],
    ['remove a trigger', 'DROP TRIGGER append_only ON billing.usage'],
    ['make tables', 'CREATE TABLE billing.more (a int)'],
    ['make tables elsewhere', 'CREATE TABLE public.more (a int)'],
    ['pretend that a migration ran', `INSERT INTO billing.migrations (timestamp, name) VALUES (1, 'a')`],
    ['read another schema', 'SELECT * FROM other.secrets'],
  ])('may not %s', async (_what, statement) => {
    await expect(pool.query(statement)).rejects.toMatchObject({ code: '42501' });
  });
});

describe('a service on a database that is not prepared', () => {
  it('says that the migrate command must run first', async () => {
    await database.pool.query('ALTER SCHEMA billing RENAME TO billing_away');
    await expect(openBilling({ databaseUrl: database.url, prepared: true, log, now })).rejects.toThrow('run the migrate command first');
    await database.pool.query('ALTER SCHEMA billing_away RENAME TO billing');
  });

  it('says that a newer version made the tables', async () => {
    await database.pool.query(`INSERT INTO billing.migrations (timestamp, name) VALUES (9999999999999, 'Later9999999999999')`);
    await expect(openBilling({ databaseUrl: database.url, prepared: true, log, now })).rejects.toThrow('newer version');
    await database.pool.query(`DELETE FROM billing.migrations WHERE name LIKE 'Later%'`);
    await migrateBilling(database.url);
  });
});

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Pool } from 'pg';
import { openPool } from './database.js';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres.js';
import { type RoleGrants, ensureRole } from './roles.js';

const ROLE = `it's a "shop"`;
const GRANTS: RoleGrants = { role: ROLE, password: `p'"w\\%@:/?8chars`, schema: 'shop', appendOnly: ['journal'] };
let scratch: string;
let server: EmbeddedPostgres;
let owner: Pool;
const opened: Pool[] = [];

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'tokone-roles-'));
  server = await startEmbeddedPostgres({ dataFolder: scratch });
  owner = openPool({ url: server.url, poolSize: 4, statementTimeoutMs: 10_000 });
  await owner.query(`
    CREATE SCHEMA shop;
    CREATE TABLE shop.migrations (id int);
    CREATE TABLE shop.item (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, price int);
    CREATE TABLE shop.ticket (id serial PRIMARY KEY);
    CREATE TABLE shop.journal (line text);
    CREATE SCHEMA bank;
    CREATE TABLE bank.vault (gold int)`);
  await ensureRole(owner, GRANTS);
});
afterEach(async () => {
  for (const pool of opened.splice(0)) await pool.end();
});
afterAll(async () => {
  await owner.end();
  await server.stop();
  await rm(scratch, { recursive: true, force: true });
});

function openAs({ role, password }: Pick<RoleGrants, 'role' | 'password'>): Pool {
  const url = new URL(server.url);
  url.username = encodeURIComponent(role);
  url.password = encodeURIComponent(password);
  const pool = openPool({ url: url.href, poolSize: 2, statementTimeoutMs: 10_000 });
  opened.push(pool);
  return pool;
}

describe('the role of a service', () => {
  it('logs in with its password only, of which the server keeps a SCRAM verifier', async () => {
    await expect(openAs(GRANTS).query('SELECT current_user AS name')).resolves.toMatchObject({ rows: [{ name: ROLE }] });
    await expect(openAs({ ...GRANTS, password: 'another-password' }).query('SELECT 1')).rejects.toMatchObject({ code: '28P01' });
    const { rows } = await owner.query<{ rolpassword: string }>('SELECT rolpassword FROM pg_authid WHERE rolname = $1', [ROLE]);
    expect(rows[0]?.rolpassword).toMatch(/^SCRAM-SHA-256\$4096:/);
  });

  it('works with the rows of its own schema, sequences included', async () => {
    const pool = openAs(GRANTS);
    for (const sql of [
      'INSERT INTO shop.item (price) VALUES (1)',
      'INSERT INTO shop.ticket DEFAULT VALUES',
      'UPDATE shop.item SET price = 2',
      'DELETE FROM shop.item',
      `INSERT INTO shop.journal VALUES ('line')`,
      'SELECT * FROM shop.journal',
      'SELECT * FROM shop.migrations',
    ]) await expect(pool.query(sql)).resolves.toBeDefined();
  });

  it.each([
    'SELECT * FROM bank.vault',
    'INSERT INTO bank.vault VALUES (1)',
    `UPDATE shop.journal SET line = ''`,
    'DELETE FROM shop.journal',
    'TRUNCATE shop.journal',
    'TRUNCATE shop.item',
    'INSERT INTO shop.migrations VALUES (1)',
    'DELETE FROM shop.migrations',
    'DROP TABLE shop.item',
    'ALTER TABLE shop.item DISABLE TRIGGER ALL',
    'ALTER TABLE shop.item ADD COLUMN more int',
    'CREATE TABLE shop.own (id int)',
    'CREATE TABLE public.own (id int)',
    'CREATE TEMPORARY TABLE own (id int)',
    'CREATE SCHEMA own',
    'CREATE ROLE own',
    'CREATE FUNCTION shop.own() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$',
  ])('is refused %s', async (sql) => {
    await expect(openAs(GRANTS).query(sql)).rejects.toMatchObject({ code: '42501' });
  });

  it('works with tables of a later migration too, and a second call narrows them', async () => {
    await owner.query('CREATE TABLE shop.later (line text)');
    const pool = openAs(GRANTS);
    await pool.query(`INSERT INTO shop.later VALUES ('line')`);
    await Promise.all([1, 2, 3].map(() => ensureRole(owner, { ...GRANTS, appendOnly: ['journal', 'later'] })));
    await pool.query(`INSERT INTO shop.later VALUES ('line')`);
    await expect(pool.query('DELETE FROM shop.later')).rejects.toMatchObject({ code: '42501' });
  });

  it('gets a new password by another call', async () => {
    const renewed = { ...GRANTS, role: 'renewed', password: 'a-first-password' };
    await ensureRole(owner, renewed);
    await ensureRole(owner, { ...renewed, password: 'a-second-password' });
    await expect(openAs(renewed).query('SELECT 1')).rejects.toMatchObject({ code: '28P01' });
    await expect(openAs({ ...renewed, password: 'a-second-password' }).query('SELECT 1')).resolves.toBeDefined();
  });
});

describe('what is no role for a service', () => {
  it.each(['tokone', 'mighty'])('is %s, with more rights than that', async (role) => {
    await owner.query(`DO $$ BEGIN CREATE ROLE mighty LOGIN CREATEROLE; EXCEPTION WHEN duplicate_object THEN NULL; END $$`);
    await expect(ensureRole(owner, { ...GRANTS, role })).rejects.toThrow(/choose another name/);
  });

  it.each(['', 'short', 'with a space', 'ümlaut-password'])('is one with the password %j', async (password) => {
    await expect(ensureRole(owner, { ...GRANTS, password })).rejects.toThrow(/at least 8 characters/);
  });
});

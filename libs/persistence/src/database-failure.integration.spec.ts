import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import pg from 'pg';
import { explainDatabaseFailure } from './database-failure.js';
import { openDatabase, openPool } from './database.js';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres.js';
import { runMigrations } from './migrate.js';
import { StartupError } from './startup-error.js';

let scratch: string;
let server: EmbeddedPostgres;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'tokone-database-failure-'));
  server = await startEmbeddedPostgres({ dataFolder: scratch });
});
afterAll(async () => {
  await server.stop();
  await rm(scratch, { recursive: true, force: true });
});

async function failureOf(change: (url: URL) => void, sql: string): Promise<unknown> {
  const url = new URL(server.url);
  change(url);
  const pool = openPool({ url: url.href, poolSize: 1, statementTimeoutMs: 5_000 });
  try {
    return await pool.query(sql).then(() => undefined, explainDatabaseFailure);
  } finally {
    await pool.end();
  }
}

it.each<[string, (url: URL) => void, string, RegExp]>([
  ['a user that is none', (url) => (url.username = 'nobody_here'), 'SELECT 1', /PostgreSQL cannot be used: .*"nobody_here".* \(28[0-9P]{3}\)\. Correct user and password/],
  ['a database that is none', (url) => (url.pathname = '/nothing_here'), 'SELECT 1', /"nothing_here" does not exist \(3D000\)\. Create that database/],
  ['a table that migrate has not made', () => undefined, 'SELECT 1 FROM account.missing', /\(42P01\)\. Run migrate/],
  ['what a standby refuses', () => undefined, 'BEGIN READ ONLY; CREATE TABLE one (id int)', /\(25006\)\. It is a standby/],
])('says what to do about %s', async (_what, change, sql, text) => {
  const failure = await failureOf(change, sql);
  expect(failure).toBeInstanceOf(StartupError);
  expect(String(failure)).toMatch(text);
});

it('looks into what TypeORM has wrapped', async () => {
  const pool = openPool({ url: server.url, poolSize: 1, statementTimeoutMs: 5_000 });
  await pool.query("CREATE ROLE poor LOGIN PASSWORD 'poor-password'");
  await pool.end();
  const url = Object.assign(new URL(server.url), { username: 'poor', password: 'poor-password' });
  const dataSource = await openDatabase({ url: url.href, schema: 'shop', entities: [], migrations: [], poolSize: 1, statementTimeoutMs: 5_000 });
  const failure = await runMigrations(dataSource).then(() => undefined, explainDatabaseFailure);
  await dataSource.destroy();
  expect(String(failure)).toMatch(/^StartupError: PostgreSQL cannot be used: permission denied.* \(42501\)\. A service needs the role/);
});

it('says what to do about a server that takes connections and is silent, or speaks no TLS', async () => {
  const silent = createServer().listen(0, '127.0.0.1');
  try {
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const pool = new pg.Pool({ connectionString: `postgres://a:b@127.0.0.1:${port}/c`, connectionTimeoutMillis: 200 });
    expect(String(await pool.query('SELECT 1').then(() => undefined, explainDatabaseFailure))).toMatch(/It takes connections and does not answer\./);
    await pool.end();
  } finally {
    silent.close();
  }
  expect(String(await failureOf((url) => url.searchParams.set('sslmode', 'require'), 'SELECT 1'))).toMatch(/Take sslmode out/);
});

it('leaves a sentence as it is, whatever its cause', () => {
  const said = new StartupError('Redis did not answer: self-signed certificate.', { cause: new Error('self-signed certificate') });
  expect(explainDatabaseFailure(said)).toBe(said);
});

it('leaves a defect of ours as it is', async () => {
  expect(await failureOf(() => undefined, 'SELEKT 1')).not.toBeInstanceOf(StartupError);
});

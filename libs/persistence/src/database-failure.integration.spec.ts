import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { explainDatabaseFailure } from './database-failure.js';
import { openPool } from './database.js';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres.js';
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
  ['a user that is none', (url) => (url.username = 'nobody_here'), 'SELECT 1', /PostgreSQL refuses: .*"nobody_here".* \(28[0-9P]{3}\)\. Correct user and password/],
  ['a database that is none', (url) => (url.pathname = '/nothing_here'), 'SELECT 1', /"nothing_here" does not exist \(3D000\)\. Create that database/],
  ['a table that migrate has not made', () => undefined, 'SELECT 1 FROM account.missing', /\(42P01\)\. Run migrate/],
  ['what a standby refuses', () => undefined, 'BEGIN READ ONLY; CREATE TABLE one (id int)', /\(25006\)\. It is a standby/],
])('says what to do about %s', async (_what, change, sql, text) => {
  const failure = await failureOf(change, sql);
  expect(failure).toBeInstanceOf(StartupError);
  expect(String(failure)).toMatch(text);
});

it('leaves a defect of ours as it is', async () => {
  expect(await failureOf(() => undefined, 'SELEKT 1')).not.toBeInstanceOf(StartupError);
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Pool } from 'pg';
import { openPool } from './database.js';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres.js';
import { checkMigrated } from './migrated.js';
import { StartupError } from './startup-error.js';

const NAMES = ['One1', 'Two2'];
let scratch: string;
let server: EmbeddedPostgres;
let pool: Pool;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'tokone-migrated-'));
  server = await startEmbeddedPostgres({ dataFolder: scratch });
  pool = openPool({ url: server.url, poolSize: 1, statementTimeoutMs: 5_000 });
});
afterAll(async () => {
  await pool.end();
  await server.stop();
  await rm(scratch, { recursive: true, force: true });
});

const failure = (client: Pick<Pool, 'query'> = pool): Promise<unknown> => checkMigrated(client, 'account', NAMES).then(() => undefined, (error: unknown) => error);

it('says what to do about tables that are missing, older, newer, or of another role, and nothing of those of this version', async () => {
  expect(await failure()).toBeInstanceOf(StartupError);
  expect(String(await failure())).toContain('run the migrate command first');
  await pool.query("CREATE SCHEMA account; CREATE TABLE account.migrations (name text); INSERT INTO account.migrations VALUES ('One1')");
  expect(String(await failure())).toContain('are those of an older version');
  await pool.query("INSERT INTO account.migrations VALUES ('Two2')");
  expect(await failure()).toBeUndefined();
  await pool.query("CREATE ROLE other LOGIN PASSWORD 'other-password'");
  const others = openPool({ url: Object.assign(new URL(server.url), { username: 'other', password: 'other-password' }).href, poolSize: 1, statementTimeoutMs: 5_000 });
  expect(String(await failure(others))).toContain('belong to another role');
  await others.end();
  await pool.query("INSERT INTO account.migrations VALUES ('Three3')");
  expect(String(await failure())).toContain('newer version of TokOne (Three3)');
});

it('hands on what is no matter of tables', async () => {
  const away = { query: () => Promise.reject(new Error('away')) } as never;
  expect(String(await failure(away))).toBe('Error: away');
});

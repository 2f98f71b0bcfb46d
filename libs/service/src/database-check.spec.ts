import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { openPool } from '@tokone/persistence';
import type { Pool } from '@tokone/persistence';
import { databaseCheck } from './database-check.js';

let pool: Pool;
beforeAll(() => {
  // Nobody listens there.
  pool = openPool({ url: 'postgres://secret-user:secret-password@127.0.0.1:1/secret-database', poolSize: 1, statementTimeoutMs: 1_000, applicationName: 'test' });
});
afterAll(() => pool.end());

describe('the check of the database', () => {
  it.each(['account', 'billing'] as const)('says of %s that it cannot work, without naming server, user or database', async (schema) => {
    expect(await databaseCheck(pool, schema).problem()).toBe(`PostgreSQL does not answer, or has no tables of the ${schema} service yet.`);
  });
});

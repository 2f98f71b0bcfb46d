import { ensureRole, openDatabase, openPool, runMigrations } from '@tokone/persistence';
import { ACCOUNT_SCHEMA } from './account-schema.js';

export interface AccountPreparation {
  /** Of the owner of the tables, who may create roles too if one is wanted. A secret. */
  adminUrl: string;
  /** The account service's own role: made or renewed, and granted what the service needs and nothing more. */
  role?: { name: string; password: string };
}

/** What is written once: by grants as well as by triggers. */
const APPEND_ONLY = ['transfers', 'entries', 'audit_log', 'zero_charges'];
const STATEMENT_TIMEOUT_MS = 60_000;

/**
 * The schema `account` in its present form, for a `migrate` command and for tests: migrations, then the grants.
 * Idempotent, by any number of processes at once. @returns the names of the migrations that this call ran.
 * @throws StartupError for a database of a newer version, or a role that has more rights than a service should.
 */
export async function prepareAccount({ adminUrl: url, role }: AccountPreparation): Promise<string[]> {
  const limits = { url, poolSize: 2, statementTimeoutMs: STATEMENT_TIMEOUT_MS, applicationName: 'tokone migrate' };
  const database = await openDatabase({ ...limits, ...ACCOUNT_SCHEMA });
  const pool = openPool(limits);
  try {
    const migrations = await runMigrations(database);
    if (role) await ensureRole(pool, { role: role.name, password: role.password, schema: ACCOUNT_SCHEMA.schema, appendOnly: APPEND_ONLY });
    return migrations;
  } finally {
    await Promise.all([database.destroy(), pool.end()]);
  }
}

import type { Pool } from 'pg';
import { errorCode, StartupError } from './startup-error.js';

/** PostgreSQL: no such table, no such schema, or not for this role. */
const NOT_THERE = new Set(['42P01', '3F000', '42501']);

/**
 * For a service that does not make its tables itself.
 * @param names of all migrations of its schema that this version has
 * @throws StartupError when the tables are not those of this version
 */
export async function checkMigrated(pool: Pick<Pool, 'query'>, schema: 'account' | 'billing', names: readonly string[]): Promise<void> {
  const found = await namesOf(pool, schema);
  if (names.some((name) => !found.includes(name))) throw new StartupError(`The tables of ${schema} are not there yet, are those of an older version, or belong to another role than the one in DATABASE_URL: run the migrate command first.`);
  const unknown = found.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new StartupError(`The tables of ${schema} were made by a newer version of TokOne (${unknown}): start that version.`);
}

async function namesOf(pool: Pick<Pool, 'query'>, schema: string): Promise<string[]> {
  try {
    const { rows } = await pool.query<{ name: string }>(`SELECT name FROM ${schema}.migrations`);
    return rows.map(({ name }) => name);
  } catch (error) {
    if (NOT_THERE.has(errorCode(error) ?? '')) return [];
    throw error;
  }
}

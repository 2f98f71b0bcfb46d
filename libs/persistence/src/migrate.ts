import { DataSource, MigrationExecutor, type QueryRunner } from 'typeorm';
import { StartupError } from './startup-error.js';

/** One lock for all schemas of a database, since an extension or a role belongs to none. */
const LOCK_NAME = 'tokone.migrations';
const DEFAULT_TIMEOUT_MS = 600_000;

export interface MigrationOptions {
  /** For the wait behind other processes that migrate, and again for each statement; default 10 minutes. */
  timeoutMs?: number;
}

/**
 * Creates the schema of the data source and runs its pending migrations, each in its own transaction, in order. Any
 * number of processes may call this at once: one works, the others wait and find nothing to do.
 * Needs a session of its own: a pooler in front of PostgreSQL must not be in transaction mode.
 * @returns the names of the migrations that this call ran.
 * @throws StartupError when the schema has migrations that this code does not know: it is newer.
 */
export async function runMigrations(dataSource: DataSource, options: MigrationOptions = {}): Promise<string[]> {
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const migrator = await openMigrator(dataSource, timeoutMs);
  try {
    const runner = migrator.createQueryRunner();
    await lock(runner, timeoutMs);
    await runner.query(`CREATE SCHEMA IF NOT EXISTS ${quote(schemaOf(dataSource))}`);
    const executor = new MigrationExecutor(migrator, runner);
    executor.transaction = 'each';
    await refuseNewer(executor, migrator);
    return (await executor.executePendingMigrations()).map((migration) => migration.name);
  } finally {
    // Ends the session, and with it the lock, whatever state it is in.
    await migrator.destroy();
  }
}

/** A migration may take longer than the data source allows its queries; so it has connections of its own. */
async function openMigrator(dataSource: DataSource, timeoutMs: number): Promise<DataSource> {
  const extra = { ...(dataSource.options.extra as object), statement_timeout: timeoutMs, query_timeout: 2 * timeoutMs, max: 2 };
  return new DataSource({ ...dataSource.options, extra } as DataSource['options']).initialize();
}

/** Older code on newer tables would write what the newer one cannot trust. */
async function refuseNewer(executor: MigrationExecutor, { migrations }: DataSource): Promise<void> {
  const known = new Set(migrations.map((migration) => migration.name ?? migration.constructor.name));
  const unknown = (await executor.getExecutedMigrations()).find((migration) => !known.has(migration.name));
  if (unknown === undefined) return;
  throw new StartupError(`The database was written by a newer version of TokOne (${unknown.name}): start that version, or set TOKONE_DATA_DIR to another folder.`);
}

async function lock(runner: QueryRunner, timeoutMs: number): Promise<void> {
  await runner.query(`SET lock_timeout = ${Math.trunc(timeoutMs)}`);
  await runner.query(`SELECT pg_advisory_lock(hashtextextended($1, 0))`, [LOCK_NAME]);
}

function schemaOf(dataSource: DataSource): string {
  const { options } = dataSource;
  if (options.type !== 'postgres' || options.schema === undefined) throw new Error('a data source without a schema of its own');
  return options.schema;
}

function quote(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}

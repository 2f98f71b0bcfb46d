import { checkMigrated, openDatabase, runMigrations } from '@tokone/persistence';
import type { Pool } from '@tokone/persistence';
import { CreateBillingTables1763900000000 } from './migrations/create-billing-tables.js';
import { CountLogRecords1764100000000 } from './migrations/count-log-records.js';
import { KeepWaivedRecords1764200000000 } from './migrations/keep-waived-records.js';
import { PublishDeadRecords1764000000000 } from './migrations/publish-dead-records.js';

export const BILLING_SCHEMA = 'billing';
/** Facts: whoever may insert them may neither change nor remove them. */
export const APPEND_ONLY_TABLES: readonly string[] = ['usage', 'price_row', 'price_book', 'waived'];

const MIGRATIONS = [CreateBillingTables1763900000000, PublishDeadRecords1764000000000, CountLogRecords1764100000000, KeepWaivedRecords1764200000000];
const STATEMENT_TIMEOUT_MS = 10_000;

/** Creates or updates the tables of schema `billing`. `databaseUrl` is that of the owner. */
export async function migrateBilling(databaseUrl: string): Promise<void> {
  const dataSource = await openDatabase({
    url: databaseUrl,
    schema: BILLING_SCHEMA,
    entities: [],
    migrations: MIGRATIONS,
    poolSize: 2,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    applicationName: 'tokone billing migrations',
  });
  try {
    await runMigrations(dataSource);
  } finally {
    await dataSource.destroy();
  }
}

/** @throws StartupError when the tables are not those of this version: a service does not make them itself. */
export async function checkBillingTables(pool: Pool): Promise<void> {
  await checkMigrated(pool, BILLING_SCHEMA, MIGRATIONS.map(({ name }) => name));
}

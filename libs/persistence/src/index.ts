export { type DatabaseOptions, type PoolOptions, openDatabase, openPool } from './database.js';
export { explainDatabaseFailure } from './database-failure.js';
export { type EmbeddedPostgres, type EmbeddedPostgresOptions, startEmbeddedPostgres } from './embedded-postgres.js';
export { type FolderLock, lockFolder } from './folder-lock.js';
export { type MigrationOptions, runMigrations } from './migrate.js';
export { type RoleGrants, ensureRole } from './roles.js';
export { StartupError, diskFull, explainFolderFailure } from './startup-error.js';
export { inTransaction, isTransient } from './transaction.js';
export type { Pool, PoolClient, QueryResult, QueryResultRow } from 'pg';

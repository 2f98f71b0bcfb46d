import pg from 'pg';
import { DataSource, type DataSourceOptions, type Logger } from 'typeorm';
import { type ConnectionLimits, connectionOptions } from './connection-options.js';

export interface DatabaseOptions extends ConnectionLimits {
  url: string;
  /** The owner's own schema; `runMigrations` creates it, and keeps its table of migrations there. */
  schema: string;
  entities: NonNullable<DataSourceOptions['entities']>;
  migrations: NonNullable<DataSourceOptions['migrations']>;
  applicationName?: string;
  /** Told when an idle connection breaks. The pool replaces it; the next query may be none the wiser. */
  onConnectionError?: (error: Error) => void;
}

export type PoolOptions = Pick<DatabaseOptions, 'url' | 'poolSize' | 'statementTimeoutMs' | 'applicationName' | 'onConnectionError'>;

/** An initialised data source that never changes the schema by itself. int8 columns come as bigint. Owner: destroy(). */
export async function openDatabase(options: DatabaseOptions): Promise<DataSource> {
  const dataSource = new DataSource({
    type: 'postgres',
    driver: pg,
    url: options.url,
    schema: options.schema,
    entities: options.entities,
    migrations: options.migrations,
    migrationsTableName: 'migrations',
    synchronize: false,
    migrationsRun: false,
    installExtensions: false,
    logger: SILENT,
    poolSize: options.poolSize,
    applicationName: options.applicationName ?? 'tokone',
    poolErrorHandler: options.onConnectionError ?? ignoreIdleFailure,
    extra: connectionOptions(options),
  });
  return dataSource.initialize();
}

/** A pool for plain SQL. int8 columns come as bigint, count(*) too. Connects at the first query. Owner: end(). */
export function openPool(options: PoolOptions): pg.Pool {
  const pool = new pg.Pool({
    ...connectionOptions(options),
    connectionString: options.url,
    application_name: options.applicationName ?? 'tokone',
  });
  pool.on('error', options.onConnectionError ?? ignoreIdleFailure);
  return pool;
}

/** Every failure reaches the caller as an error; TypeORM would print some of them, with their values, besides. */
const SILENT: Logger = {
  logQuery: () => undefined,
  logQueryError: () => undefined,
  logQuerySlow: () => undefined,
  logSchemaBuild: () => undefined,
  logMigration: () => undefined,
  log: () => undefined,
};

/** Without a listener Node would end the process; the pool itself drops the connection. */
function ignoreIdleFailure(): void {}

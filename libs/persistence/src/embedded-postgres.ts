import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { type FolderLock, lockFolder } from './folder-lock.js';
import { findPostgresBinaries } from './postgres-binaries.js';
import { type PostgresCluster, prepareCluster } from './postgres-cluster.js';
import { choosePostgresUser } from './postgres-user.js';
import {
  type Postmaster,
  type PostmasterExit,
  type PostmasterRequest,
  startPostmaster,
  stopLeftBehindPostmaster,
} from './postmaster.js';
import { StartupError, errorCode, explainFolderFailure } from './startup-error.js';

const DATABASE = 'tokone';
const MAX_PORTS = 10;
const RETRY_MS = 100;
const CONNECT_TIMEOUT_MS = 10_000;
const UNKNOWN_DATABASE = '3D000';
const WRONG_PASSWORD = '28P01';

export interface EmbeddedPostgresOptions {
  /** Holds the cluster, its password, its log and the lock; created when missing. */
  dataFolder: string;
  /** The lock on the data folder if the caller already has it; else it is taken here and released by stop(). */
  lock?: FolderLock;
  /** Default: `postgres.log` in the data folder. */
  logFile?: string;
  /** Default: `tokone`. */
  superuser?: string;
  /** For everything until the server is ready; default 60 s. Recovery after a kill is part of it. */
  startTimeoutMs?: number;
  /** For a fast shutdown, before an immediate one follows; default 20 s. */
  stopTimeoutMs?: number;
  /** False: root always changes to another user, as on machines that refuse user namespaces. */
  userNamespaces?: boolean;
  /** Default: a free port of 127.0.0.1. Asked again when another program takes the port first. */
  choosePort?: () => Promise<number>;
  /** PostgreSQL's own settings, over ours. */
  settings?: Readonly<Record<string, string>>;
}

/** A PostgreSQL server of our own, on 127.0.0.1 only. It outlives a kill of this process; the next start ends it. */
export interface EmbeddedPostgres {
  /** `postgres://user:password@127.0.0.1:port/tokone`. A secret. */
  url: string;
  port: number;
  processId: number;
  /** Settles when the server ends, asked to or not. */
  exited: Promise<PostmasterExit>;
  /** Ends the server and releases a lock that was taken by the start; harmless when repeated. */
  stop(): Promise<void>;
}

/**
 * Starts the server of the data folder, creating its cluster and the database `tokone` when they are missing.
 * @throws StartupError with a sentence for the operator; nothing is left running then.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const lock = options.lock ?? (await lockFolder(options.dataFolder));
  const releaseOwnLock = async (): Promise<void> => {
    if (options.lock === undefined) await lock.release();
  };
  try {
    const { url, port, postmaster } = await startLocked(options, lock.folder);
    let stopped: Promise<void> | undefined;
    const stop = (): Promise<void> =>
      (stopped ??= postmaster.stop(options.stopTimeoutMs ?? 20_000).finally(releaseOwnLock));
    return { url, port, stop, processId: postmaster.processId, exited: postmaster.exited };
  } catch (error) {
    await releaseOwnLock();
    throw explainFolderFailure(error, options.dataFolder);
  }
}

async function startLocked(
  options: EmbeddedPostgresOptions,
  dataFolder: string,
): Promise<{ url: string; port: number; postmaster: Postmaster }> {
  const deadline = AbortSignal.timeout(options.startTimeoutMs ?? 60_000);
  const stopTimeoutMs = options.stopTimeoutMs ?? 20_000;
  const binaries = await findPostgresBinaries();
  const user = await choosePostgresUser({ dataFolder, binaries, userNamespaces: options.userNamespaces ?? true });
  await stopLeftBehindPostmaster(join(dataFolder, 'cluster'), stopTimeoutMs);
  const cluster = await prepareCluster({ dataFolder, superuser: options.superuser ?? 'tokone', user, deadline });
  const logFile = options.logFile ?? join(dataFolder, 'postgres.log');
  const request = { clusterFolder: cluster.folder, logFile, user, settings: options.settings ?? {}, deadline };
  const { port, postmaster } = await startOnFreePort(request, options.choosePort ?? chooseFreePort);
  try {
    const url = connectionUrl(cluster, port, DATABASE);
    await ensureDatabase(cluster, port);
    return { url, port, postmaster };
  } catch (error) {
    await postmaster.stop(stopTimeoutMs);
    throw error;
  }
}

async function startOnFreePort(
  request: Omit<PostmasterRequest, 'port'>,
  choosePort: () => Promise<number>,
): Promise<{ port: number; postmaster: Postmaster }> {
  for (let portsTried = 0; portsTried < MAX_PORTS; ) {
    const port = await choosePort();
    const outcome = await startPostmaster({ ...request, port });
    if (typeof outcome !== 'string') return { port, postmaster: outcome };
    if (request.deadline.aborted) break;
    if (outcome === 'port-in-use') portsTried += 1;
    else await delay(RETRY_MS);
  }
  throw new StartupError(
    `PostgreSQL found no free port on 127.0.0.1, or processes of an earlier one do not end: end them, or read ${request.logFile}.`,
  );
}

async function chooseFreePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('a TCP server has an address and a port');
  return address.port;
}

function connectionUrl({ superuser, password }: PostgresCluster, port: number, database: string): string {
  return `postgres://${encodeURIComponent(superuser)}:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}`;
}

async function ensureDatabase(cluster: PostgresCluster, port: number): Promise<void> {
  try {
    await withClient(connectionUrl(cluster, port, DATABASE), async () => undefined);
  } catch (error) {
    if (errorCode(error) === WRONG_PASSWORD) {
      throw new StartupError(
        `The password kept beside ${cluster.folder} is not the database's: restore the data folder as a whole from one backup.`,
        { cause: error },
      );
    }
    if (errorCode(error) !== UNKNOWN_DATABASE) throw error;
    await withClient(connectionUrl(cluster, port, 'postgres'), async (client) => {
      await client.query(`CREATE DATABASE ${DATABASE}`);
    });
  }
}

async function withClient(url: string, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, lchown, mkdir, open, readFile, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { PostgresUser } from './postgres-user.js';
import { StartupError, diskFull, errorCode } from './startup-error.js';

/** Where the parts of the embedded database stand in the data folder. */
export interface PostgresCluster {
  /** PostgreSQL's own data directory. */
  folder: string;
  superuser: string;
  password: string;
}

export interface ClusterRequest {
  dataFolder: string;
  superuser: string;
  user: PostgresUser;
  /** Aborts when the time for the start is over. */
  deadline: AbortSignal;
}

const UNFINISHED_PREFIX = 'cluster.unfinished-';
const PASSWORD_FILE = 'postgres-password';
const OUTPUT_LIMIT_BYTES = 16_384;

/**
 * The cluster of the data folder, made on the first start. The caller holds the folder's lock. initdb works in a folder
 * beside the final one, which is renamed when it is complete and on disk: a cluster that exists is a whole one.
 */
export async function prepareCluster(request: ClusterRequest): Promise<PostgresCluster> {
  const folder = join(request.dataFolder, 'cluster');
  await removeUnfinished(request.dataFolder);
  const owner = await statIfPresent(folder);
  if (owner === undefined) return createCluster(request, folder);
  if (owner.uid !== request.user.uid) await takeOwnership(folder, request.user);
  const { dataFolder, superuser } = request;
  return { folder, superuser, password: await readPassword(dataFolder) };
}

async function createCluster(request: ClusterRequest, folder: string): Promise<PostgresCluster> {
  const { dataFolder, superuser, user } = request;
  const password = randomBytes(32).toString('base64url');
  const draft = join(dataFolder, `${UNFINISHED_PREFIX}${randomBytes(6).toString('hex')}`);
  const draftCluster = join(draft, 'cluster');
  // initdb reads the password as the other user, who cannot read the file that we keep.
  const draftPassword = join(draft, 'password');
  try {
    for (const path of [draft, draftCluster]) {
      await mkdir(path, { mode: 0o700 });
      await chown(path, user.uid, user.gid);
    }
    await writePrivately(draftPassword, password);
    await chown(draftPassword, user.uid, user.gid);
    await runInitdb(request, draftCluster, draftPassword);
    const kept = join(dataFolder, PASSWORD_FILE);
    await writePrivately(`${kept}.unfinished`, password);
    await rename(`${kept}.unfinished`, kept);
    await rename(draftCluster, folder);
    await syncFolder(dataFolder);
  } finally {
    await removeUnfinished(dataFolder);
  }
  return { folder, superuser, password };
}

/**
 * Without `--no-sync`: money will rest on these files, and writing them through costs a tenth of a second once. The
 * built-in C.UTF-8 locale orders by code point as C does, but knows the case of letters beyond ASCII.
 */
async function runInitdb(request: ClusterRequest, clusterFolder: string, passwordFile: string): Promise<void> {
  const { user, superuser, deadline, dataFolder } = request;
  const { file, arguments: args, options } = user.command(user.binaries.initdb, [
    `--pgdata=${clusterFolder}`,
    '--encoding=UTF8',
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--auth=scram-sha-256',
    `--username=${superuser}`,
    `--pwfile=${passwordFile}`,
    '--no-instructions',
  ]);
  // Detached: Ctrl-C must not leave half a cluster; the start ends first, then the stop begins.
  const child = spawn(file, args, { ...options, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString('utf8')).slice(-OUTPUT_LIMIT_BYTES);
    });
  }
  const killGroup = (): void => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
  };
  deadline.addEventListener('abort', killGroup, { once: true });
  if (deadline.aborted) killGroup();
  try {
    const exitCode = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    if (exitCode === 0) return;
  } finally {
    deadline.removeEventListener('abort', killGroup);
  }
  if (deadline.aborted) {
    throw new StartupError(`Creating the database in ${dataFolder} took too long: start TokOne again on a machine with less load.`);
  }
  if (/No space left on device|Disk quota exceeded/.test(output)) throw diskFull(dataFolder);
  throw new StartupError(`The database in ${dataFolder} could not be created. initdb says: ${lastComplaint(output)}`);
}

/** The line that tells most of what PostgreSQL or initdb wrote before it gave up. */
export function lastComplaint(output: string): string {
  const lines = output.split('\n').filter((line) => line.trim() !== '');
  const isComplaint = (line: string): boolean => /FATAL|PANIC|error:|fatal:/.test(line);
  return (lines.findLast(isComplaint) ?? lines.at(-1) ?? '(nothing)').trim();
}

/** An initdb whose parent was killed may still write there: what cannot be removed now goes at the next start. */
async function removeUnfinished(dataFolder: string): Promise<void> {
  for (const name of await readdir(dataFolder)) {
    if (!name.startsWith(UNFINISHED_PREFIX)) continue;
    await rm(join(dataFolder, name), { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined);
  }
}

async function statIfPresent(path: string): Promise<{ uid: number } | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Root may give the files to another user; its top folder last, so that an interrupted walk is begun again. */
async function takeOwnership(folder: string, user: PostgresUser): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw new StartupError(
      `The database in ${folder} belongs to another user: run TokOne as that user, or set TOKONE_DATA_DIR to another folder.`,
    );
  }
  for (const entry of await readdir(folder, { recursive: true })) await lchown(join(folder, entry), user.uid, user.gid);
  await chown(folder, user.uid, user.gid);
}

async function readPassword(dataFolder: string): Promise<string> {
  const file = join(dataFolder, PASSWORD_FILE);
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
    throw new StartupError(
      `${file} is missing, without which the database beside it cannot be opened: restore that file from your backup.`,
    );
  }
}

async function writePrivately(file: string, content: string): Promise<void> {
  const handle = await open(file, 'w', 0o600);
  try {
    await handle.writeFile(`${content}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

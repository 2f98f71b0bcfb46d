import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { processStart } from './process-identity.js';
import { StartupError, errorCode, explainFolderFailure } from './startup-error.js';

/** Proof that this process alone works on a folder, until release() or the end of the process. */
export interface FolderLock {
  /** The folder's real path. */
  readonly folder: string;
  /** Gives the folder free; harmless when repeated. */
  release(): Promise<void>;
}

interface Holder {
  pid: number;
  /** As `processStart` gives it: tells the holder from a later process with the same id. */
  startedAt: string;
}

const TAKEOVER_DEPTH = 3;
const MAX_ATTEMPTS = 10;

/**
 * Takes the file `lock` in the folder, creating the folder (mode 0700) when it is missing. A lock whose holder no
 * longer runs is taken over.
 * @throws StartupError naming the process id of a living holder, or why the folder cannot be written to.
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  try {
    await makeFolder(resolve(folder));
    const realFolder = await realpath(folder);
    const release = await acquire(join(realFolder, 'lock'), TAKEOVER_DEPTH);
    return { folder: realFolder, release };
  } catch (error) {
    if (error instanceof HeldError) {
      throw new StartupError(
        `TokOne already runs on ${folder}, as process ${error.holder.pid}: stop that process, or set TOKONE_DATA_DIR to another folder.`,
      );
    }
    throw explainFolderFailure(error, folder);
  }
}

/** Not `recursive`: where a folder cannot be made and the answer is ENOENT, as in /proc, Node would try for ever. */
async function makeFolder(folder: string): Promise<void> {
  if (await isFolder(folder)) return;
  if (!(await isFolder(dirname(folder)))) await makeFolder(dirname(folder));
  try {
    await mkdir(folder, { mode: 0o700 });
  } catch (error) {
    // Another start may have been faster.
    if (!(await isFolder(folder))) throw error;
  }
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

class HeldError extends Error {
  readonly holder: Holder;

  constructor(holder: Holder) {
    super(`held by process ${holder.pid}`);
    this.holder = holder;
  }
}

/**
 * link() creates the lock with its content in one step. The lock of a dead process is removed only by the holder of the
 * takeover lock, who looks again first; otherwise two starts could each remove the other's fresh lock.
 */
async function acquire(file: string, takeoverDepth: number): Promise<() => Promise<void>> {
  const own: Holder = { pid: process.pid, startedAt: (await processStart(process.pid)) ?? '' };
  const draft = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  try {
    await writeFile(draft, `${JSON.stringify(own)}\n`, { flag: 'wx', mode: 0o600 });
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      if (await linkUnlessTaken(draft, file)) return () => rm(file, { force: true });
      if (takeoverDepth > 0 && (await refuseIfAlive(file)) === 'abandoned') await removeAbandoned(file, takeoverDepth);
    }
  } finally {
    await rm(draft, { force: true });
  }
  throw new StartupError(`${file} changes hands all the time: wait until no other TokOne starts, then remove that file.`);
}

async function removeAbandoned(file: string, takeoverDepth: number): Promise<void> {
  const releaseTakeover = await acquire(`${file}.takeover`, takeoverDepth - 1);
  try {
    if ((await refuseIfAlive(file)) === 'abandoned') await rm(file, { force: true });
  } finally {
    await releaseTakeover();
  }
}

async function linkUnlessTaken(draft: string, file: string): Promise<boolean> {
  try {
    await link(draft, file);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/** @throws HeldError when the holder of the lock runs. */
async function refuseIfAlive(file: string): Promise<'free' | 'abandoned'> {
  const holder = await readHolder(file);
  if (holder === undefined) return 'free';
  if ((await processStart(holder.pid)) === holder.startedAt) throw new HeldError(holder);
  return 'abandoned';
}

/** Undefined when there is no lock. One that cannot be read, as after a power loss, has a holder that never runs. */
async function readHolder(file: string): Promise<Holder | undefined> {
  try {
    const holder = JSON.parse(await readFile(file, 'utf8')) as Partial<Holder> | null;
    return { pid: Number(holder?.pid ?? 0), startedAt: String(holder?.startedAt) };
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    if (error instanceof SyntaxError) return { pid: 0, startedAt: '' };
    throw error;
  }
}

import { type ChildProcess, spawn } from 'node:child_process';
import { open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { lastComplaint } from './postgres-cluster.js';
import type { PostgresUser } from './postgres-user.js';
import { processCommandLine, processStart } from './process-identity.js';
import { StartupError, diskFull, errorCode } from './startup-error.js';

const POLL_MS = 10;
const IMMEDIATE_STOP_MS = 10_000;
const LOG_ROTATION_BYTES = 16 * 1024 * 1024;

export interface PostmasterExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A running PostgreSQL server that we started. */
export interface Postmaster {
  processId: number;
  exited: Promise<PostmasterExit>;
  /** Closes the connections, writes a checkpoint, ends the server; harsher after the deadline. */
  stop(timeoutMs: number): Promise<void>;
}

export interface PostmasterRequest {
  clusterFolder: string;
  logFile: string;
  port: number;
  user: PostgresUser;
  /** Over our own. */
  settings?: Readonly<Record<string, string>>;
  deadline: AbortSignal;
}

export type StartFailure = 'port-in-use' | 'memory-in-use';

/** The first lines of PostgreSQL's `postmaster.pid`; its source, `miscadmin.h`, names them. */
export interface PostmasterFile {
  processId: number;
  /** `starting`, `ready`, `standby` or `stopping`; missing while the server has not come that far. */
  status: string | undefined;
}

/** Undefined when the file is cut short, as when the disk was full. */
export function readPostmasterFile(text: string): PostmasterFile | undefined {
  const lines = text.split('\n');
  const processId = Number(lines[0]);
  if (!Number.isSafeInteger(processId) || processId <= 0) return undefined;
  return { processId, status: lines[7]?.trim() || undefined };
}

/**
 * Starts the server and waits until it accepts connections. `port-in-use` and `memory-in-use` are failures after which
 * another attempt makes sense: another program took the port, or processes of a killed server still end.
 * @throws StartupError for every other failure, with what the server's log says.
 */
export async function startPostmaster(request: PostmasterRequest): Promise<Postmaster | StartFailure> {
  const { clusterFolder, logFile, user, deadline } = request;
  await rotate(logFile);
  const log = await open(logFile, 'a', 0o600);
  const logStart = (await log.stat()).size;
  let child: ChildProcess;
  try {
    const { file, arguments: args, options } = user.command(user.binaries.postgres, serverArguments(request));
    // A session of its own: Ctrl-C reaches the terminal's process group, and we stop the server after our own drain.
    child = spawn(file, args, { ...options, detached: true, stdio: ['ignore', log.fd, log.fd] });
  } finally {
    await log.close();
  }
  child.unref();
  const exited = new Promise<PostmasterExit>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.once('error', () => resolve({ code: null, signal: null }));
  });
  let running = true;
  void exited.then(() => (running = false));
  while (running && !deadline.aborted) {
    const file = await readIfPresent(join(clusterFolder, 'postmaster.pid'));
    const state = file === undefined ? undefined : readPostmasterFile(file);
    if (state?.processId === child.pid && state?.status === 'ready') return postmasterOf(child, exited);
    await delay(POLL_MS);
  }
  if (running) {
    await end(child, exited, ['SIGQUIT', IMMEDIATE_STOP_MS]);
    throw new StartupError(`PostgreSQL was not ready in time: its log is ${logFile}. Start TokOne again on a machine with less load.`);
  }
  return explainExit(await readLogFrom(logFile, logStart), request);
}

function serverArguments({ clusterFolder, port, settings: wanted }: PostmasterRequest): string[] {
  const settings = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    max_connections: '50',
    shared_buffers: '96MB',
    // Where huge pages are reserved for somebody else, taking them ends the server with SIGBUS.
    huge_pages: 'off',
    jit: 'off',
    // Containers often have 64 MB of /dev/shm, which parallel queries would exhaust.
    max_parallel_workers_per_gather: '0',
    log_checkpoints: 'off',
    // Statements and the details of errors hold customers' data.
    log_min_error_statement: 'panic',
    log_error_verbosity: 'terse',
    ...wanted,
  };
  // -D stands first and settings follow, so that isPostmasterOf() finds the folder with a space on both sides.
  return ['-D', clusterFolder, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
}

function postmasterOf(child: ChildProcess, exited: Promise<PostmasterExit>): Postmaster {
  return {
    processId: child.pid ?? -1,
    exited,
    stop: (timeoutMs) => end(child, exited, ['SIGINT', timeoutMs], ['SIGQUIT', IMMEDIATE_STOP_MS]),
  };
}

/** The handle of our own child never signals a later process with its id. */
async function end(child: ChildProcess, exited: Promise<unknown>, ...steps: [NodeJS.Signals, number][]): Promise<void> {
  child.ref();
  for (const [signal, timeoutMs] of steps) {
    child.kill(signal);
    if (await settlesWithin(exited, timeoutMs)) return;
  }
  child.kill('SIGKILL');
  await exited;
}

async function settlesWithin(promise: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  const cancel = new AbortController();
  const timeout = delay(timeoutMs, false, { signal: cancel.signal }).catch(() => false);
  try {
    return await Promise.race([promise.then(() => true), timeout]);
  } finally {
    cancel.abort();
  }
}

function explainExit(output: string, { logFile, clusterFolder }: PostmasterRequest): StartFailure {
  if (/could not bind .*Address (already )?in use/.test(output)) return 'port-in-use';
  if (/pre-existing shared memory block .* is still in use/.test(output)) return 'memory-in-use';
  if (/No space left on device|Disk quota exceeded/.test(output)) throw diskFull(clusterFolder);
  throw new StartupError(`PostgreSQL does not start on ${clusterFolder}. Its log, ${logFile}, says: ${lastComplaint(output)}`);
}

/**
 * Ends the server that a killed TokOne left behind on this folder, so that a new one can start. The caller holds the
 * folder's lock, so that no living TokOne uses it. A process that is not this folder's server is never signalled.
 */
export async function stopLeftBehindPostmaster(clusterFolder: string, timeoutMs: number): Promise<void> {
  const file = join(clusterFolder, 'postmaster.pid');
  const text = await readIfPresent(file);
  if (text === undefined) return;
  const state = readPostmasterFile(text);
  if (state === undefined) return rm(file, { force: true });
  const { processId } = state;
  const steps: [NodeJS.Signals, number][] = [['SIGINT', timeoutMs], ['SIGQUIT', IMMEDIATE_STOP_MS]];
  for (const [signal, waitMs] of steps) {
    if (!(await isPostmasterOf(processId, clusterFolder))) break;
    signalIfRunning(processId, signal);
    const deadline = AbortSignal.timeout(waitMs);
    while (!deadline.aborted && (await isPostmasterOf(processId, clusterFolder))) await delay(POLL_MS);
  }
  if (await isPostmasterOf(processId, clusterFolder)) {
    throw new StartupError(
      `A PostgreSQL of an earlier start, process ${processId}, does not end: end it with "kill -9 ${processId}" and start TokOne again.`,
    );
  }
  await disownProcessId(file);
}

async function isPostmasterOf(processId: number, clusterFolder: string): Promise<boolean> {
  const commandLine = await processCommandLine(processId);
  return commandLine !== undefined && `${commandLine} `.includes(`postgres -D ${clusterFolder} `);
}

function signalIfRunning(processId: number, signal: NodeJS.Signals): void {
  try {
    process.kill(processId, signal);
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error;
  }
}

/**
 * PostgreSQL does not start while the process of an old postmaster.pid lives, even if another program has that id now.
 * It passes over its own parent's id, which is ours, and then still checks the shared memory that the file names;
 * removing the file would lose that check.
 */
async function disownProcessId(file: string): Promise<void> {
  const text = await readIfPresent(file);
  const state = text === undefined ? undefined : readPostmasterFile(text);
  if (text === undefined || state === undefined || (await processStart(state.processId)) === undefined) return;
  await writeFile(file, [String(process.pid), ...text.split('\n').slice(1)].join('\n'));
}

async function readIfPresent(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function rotate(logFile: string): Promise<void> {
  try {
    if ((await stat(logFile)).size > LOG_ROTATION_BYTES) await rename(logFile, `${logFile}.1`);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}

async function readLogFrom(logFile: string, start: number): Promise<string> {
  return (await readFile(logFile)).subarray(start).toString('utf8');
}

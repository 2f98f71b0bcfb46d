import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { WORKSPACE } from '../child-program.js';
import { waitFor } from '../wait-for.js';

/** Run from the sources even by built programs: it is plain JavaScript, which the compiler does not copy. */
const GUARD = join(WORKSPACE, 'libs', 'testing', 'src', 'servers', 'server-guard.mjs');
const ORPHAN_GRACE_MS = 2_000;
const EARLIER_GUARD_MS = 30_000;
const LOG_TAIL_CHARACTERS = 2_000;

export interface ServerProgram {
  /** For sentences: "Redis". */
  title: string;
  file: string;
  args: readonly string[];
  env: Readonly<Record<string, string>>;
  /** The server's own, where it also works; its guard notes itself there. */
  folder: string;
  logFile: string;
}

export interface ServerExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

interface GuardEvent extends Partial<ServerExit> {
  pid?: number;
  failure?: string;
}

/**
 * A server as a process of its own below a guard, which ends it when this process is gone. Signals go to the server
 * itself, and reach only it: its guard is its parent, so that the id cannot be somebody else's by then.
 */
export class GuardedProcess {
  private constructor(
    private readonly guard: ChildProcess,
    private readonly program: ServerProgram,
    /** The server's, not the guard's. */
    readonly processId: number,
    /** Settles when the server is gone, asked to or not. */
    readonly exited: Promise<ServerExit>,
  ) {
    void exited.then(() => (this.hasEnded = true));
  }

  private hasEnded = false;

  /** Resolves when the program runs, which says nothing about whether it serves yet. */
  static async start(program: ServerProgram): Promise<GuardedProcess> {
    const guardFile = join(program.folder, 'guard.pid');
    await awaitEarlierGuard(guardFile, program);
    const { file, args, env, folder, logFile } = program;
    const order = { file, args, env, workingFolder: folder, logFile, guardFile, orphanGraceMs: ORPHAN_GRACE_MS };
    // A session of its own: Ctrl-C reaches the terminal's process group, and the owner decides what ends when.
    const guard = spawn(process.execPath, [GUARD, JSON.stringify(order)], { detached: true, stdio: ['pipe', 'pipe', 'inherit'] });
    guard.stdin.on('error', () => undefined);
    let settleExit: (exit: ServerExit) => void = () => undefined;
    const exited = new Promise<ServerExit>((resolve) => (settleExit = resolve));
    const processId = await new Promise<number>((resolve, reject) => {
      createInterface({ input: guard.stdout }).on('line', (line) => {
        const { pid, failure, code = null, signal = null } = JSON.parse(line) as GuardEvent;
        if (pid !== undefined) resolve(pid);
        else if (failure !== undefined) reject(new Error(`${program.title} could not be started: ${failure}.`));
        else settleExit({ code, signal });
      });
      guard.once('error', reject);
      guard.once('close', () => {
        reject(new Error(`${program.title} could not be started.`));
        settleExit({ code: null, signal: null });
      });
    });
    return new GuardedProcess(guard, program, processId, exited);
  }

  get running(): boolean {
    return !this.hasEnded;
  }

  signal(name: NodeJS.Signals): void {
    if (this.running) this.guard.stdin?.write(`${name}\n`);
  }

  /** SIGTERM, also to a paused server, and SIGKILL when it has not ended in time. */
  async stop(timeoutMs: number): Promise<void> {
    this.signal('SIGCONT');
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.signal('SIGKILL'), timeoutMs);
    await this.exited;
    clearTimeout(timer);
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.exited;
  }

  /** Asks until it is ready; throws with the end of the log when the server ends instead, or the time is up. */
  async untilReady(isReady: () => Promise<boolean>, deadlineMs: number): Promise<void> {
    const what = `${this.program.title} to be ready`;
    const outcome = await waitFor(async () => (await isReady()) || (!this.running && 'ended'), { what, deadlineMs }).catch(() => 'late' as const);
    if (outcome === true) return;
    const tail = (await readFile(this.program.logFile, 'utf8').catch(() => '')).slice(-LOG_TAIL_CHARACTERS);
    await this.kill();
    const reason = outcome === 'late' ? `is not ready after ${deadlineMs} ms` : 'ended instead of serving';
    throw new Error(`${this.program.title} ${reason}. Its log, ${this.program.logFile}, ends with:\n${tail}`);
  }
}

/** The server of an owner that was killed is ended by its guard; until then its files are in use. */
async function awaitEarlierGuard(guardFile: string, { title, folder }: ServerProgram): Promise<void> {
  const isGone = async (): Promise<boolean> => {
    const processId = Number(await readFile(guardFile, 'utf8').catch(() => ''));
    return !(processId > 0) || !(await isGuardOf(processId, guardFile));
  };
  await waitFor(isGone, { what: 'an earlier guard', deadlineMs: EARLIER_GUARD_MS }).catch(() => {
    throw new Error(`${title} already runs on ${folder}: end the program that started it, or name another folder.`);
  });
}

async function isGuardOf(processId: number, guardFile: string): Promise<boolean> {
  try {
    process.kill(processId, 0);
  } catch {
    return false;
  }
  // Elsewhere than on Linux the id alone must do.
  return readFile(`/proc/${processId}/cmdline`, 'utf8').then((line) => line.includes(guardFile), () => process.platform !== 'linux');
}

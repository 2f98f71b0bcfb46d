import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { waitFor } from './wait-for.js';

/** Root of the workspace. */
export const WORKSPACE = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));

export interface ChildProgramOptions {
  /** Path of the built main below the workspace: `apps/standalone/dist/main.js`. */
  main?: string;
  /** Instead of a main: a program by name, as a user would call it. */
  command?: string;
  args?: readonly string[];
  /** The whole environment beside PATH and HOME: nothing leaks in, provider keys least of all. */
  env: Readonly<Record<string, string>>;
  /** A process group of its own, so that a signal can go to the whole group. */
  ownGroup?: boolean;
  /** Default: the workspace. */
  workingFolder?: string;
  /** Standard input is a pipe that `child.stdin` writes to, else it is empty. */
  typed?: boolean;
}

/** A program of ours as a real process; its owner must end it. */
export class ChildProgram {
  readonly child: ChildProcess;
  stdout = '';
  stderr = '';
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;

  constructor(options: ChildProgramOptions) {
    const [file, ...args] = commandLine(options);
    this.child = spawn(file, args, {
      cwd: options.workingFolder ?? WORKSPACE,
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...options.env },
      stdio: [options.typed === true ? 'pipe' : 'ignore', 'pipe', 'pipe'],
      detached: options.ownGroup ?? false,
    });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr = (this.stderr + text).slice(-65_536)));
    this.exited = new Promise((resolve) => this.child.once('close', (code, signal) => resolve({ code, signal })));
  }

  get processId(): number {
    return this.child.pid ?? 0;
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Waits until standard output matches; throws with what was printed when the program ends or the time is up. */
  async printed(pattern: RegExp, deadlineMs: number): Promise<RegExpExecArray> {
    const found = await waitFor(() => pattern.exec(this.stdout) ?? (this.running ? undefined : { ended: true as const }), { what: `${pattern} in the output`, deadlineMs }).catch((late: Error) => {
      throw new Error(`${late.message}; standard error: ${this.stderr}`);
    });
    if ('ended' in found) throw new Error(`the program ended before ${pattern}: ${this.stdout}\n${this.stderr}`);
    return found;
  }

  /** Sends a signal and waits for the end. */
  async end(signal: NodeJS.Signals, deadlineMs = 60_000): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    if (this.running) this.child.kill(signal);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`the program did not end within ${deadlineMs} ms of ${signal}`)), deadlineMs);
    });
    try {
      return await Promise.race([this.exited, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

function commandLine({ command, main = '', args = [] }: ChildProgramOptions): [string, ...string[]] {
  if (command !== undefined) return [command, ...args];
  const path = join(WORKSPACE, main);
  if (!existsSync(path)) throw new Error(`${main} is not built: run npm run build first.`);
  return [process.execPath, path, ...args];
}

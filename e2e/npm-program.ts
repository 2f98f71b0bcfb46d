import { readFile, readdir, readlink } from 'node:fs/promises';
import { ChildProgram } from '@tokone/testing';
import type { ChildProgramOptions } from '@tokone/testing';

/** npm's own words about itself have no place in what is compared. */
const QUIET = { npm_config_update_notifier: 'false', npm_config_fund: 'false', LOG_LEVEL: 'error' };

type Options = Partial<Omit<ChildProgramOptions, 'main' | 'command' | 'args'>>;

/** `npm start`, as a user runs it. */
export function npmStart({ env = {}, ...options }: Options): ChildProgram {
  return new ChildProgram({ command: 'npm', args: ['start'], env: { ...QUIET, PORT: '0', ...env }, ...options });
}

/** `npm start` in a terminal of its own: what is typed into standard input reaches it as from a keyboard, Ctrl-C included. */
export function npmStartInTerminal({ env = {}, ...options }: Options): ChildProgram {
  return new ChildProgram({ command: 'script', args: ['-qec', 'exec npm start', '/dev/null'], env: { ...QUIET, PORT: '0', TERM: 'xterm', SHELL: '/bin/sh', ...env }, typed: true, ...options });
}

/** `npm run start:services`, as a user runs it. */
export function npmStartServices({ env = {}, args = [], ...options }: Options & { args?: readonly string[] }): ChildProgram {
  return new ChildProgram({ command: 'npm', args: ['run', '--silent', 'start:services', ...args], env: { ...QUIET, PORT: '0', ...env }, ...options });
}

export function npmStartServicesInTerminal({ env = {}, ...options }: Options): ChildProgram {
  return new ChildProgram({ command: 'script', args: ['-qec', 'exec npm run --silent start:services', '/dev/null'], env: { ...QUIET, PORT: '0', TERM: 'xterm', SHELL: '/bin/sh', ...env }, typed: true, ...options });
}

export const CTRL_C = '\u0003';

export function type(program: ChildProgram, text: string): void {
  program.child.stdin?.write(text);
}

/** `npm run --silent tokone -- …`, to its end. */
export async function tokone(dataFolder: string, ...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const program = new ChildProgram({ command: 'npm', args: ['run', '--silent', 'tokone', '--', ...args], env: { ...QUIET, TOKONE_DATA_DIR: dataFolder } });
  const { code } = await program.exited;
  return { code, out: program.stdout, err: program.stderr };
}

/** Processes that have a file of the folder open, stand in it, or name it: PostgreSQL, the simulator, TokOne itself. */
export async function processesOn(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const id of (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && name !== String(process.pid))) {
    const commandLine = await readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '');
    if (commandLine !== '' && (commandLine.includes(folder) || (await linksOf(id)).some((link) => link.startsWith(folder)))) found.push(`${id} ${commandLine.replaceAll('\0', ' ')}`);
  }
  return found;
}

async function linksOf(id: string): Promise<string[]> {
  const names = await readdir(`/proc/${id}/fd`).catch(() => []);
  const paths = [`/proc/${id}/cwd`, ...names.map((name) => `/proc/${id}/fd/${name}`)];
  return Promise.all(paths.map((path) => readlink(path).catch(() => '')));
}

import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const at = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Command line of a program of this folder, run from source in a process of its own. */
export function childCommand(program: string, ...parameters: string[]): string[] {
  return [process.execPath, '--conditions=@tokone/source', '--no-warnings', '--import', at('./typescript-hooks.mjs'), at(program), ...parameters];
}

export interface Child {
  process: ChildProcess;
  /** What it printed until now; whole once `ended` has resolved. */
  output(): string;
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; errors: string }>;
}

export function startChild(command: string[]): Child {
  const child = spawn(command[0]!, command.slice(1), { stdio: ['pipe', 'pipe', 'pipe'] });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null; errors: string }>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, errors }));
  });
  return { process: child, output: () => output, ended };
}

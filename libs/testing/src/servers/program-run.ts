import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const OUTPUT_BYTES = 4 * 1024 * 1024;
const MESSAGE_CHARACTERS = 1_000;
const run = promisify(execFile);

export interface ProgramOutput {
  stdout: string;
  stderr: string;
}

export interface ProgramLimits {
  timeoutMs: number;
  /** Beside our own environment. */
  env?: Readonly<Record<string, string>>;
}

/** Runs a program to its end. Undefined when the machine has no such program. */
export async function runProgram(file: string, args: readonly string[], { timeoutMs, env }: ProgramLimits): Promise<ProgramOutput | undefined> {
  try {
    return await run(file, args, { env: { ...process.env, ...env }, timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: OUTPUT_BYTES });
  } catch (error) {
    const { code, stderr = '', stdout = '', message } = error as { code?: unknown; stderr?: string; stdout?: string; message: string };
    if (code === 'ENOENT') return undefined;
    throw new Error(`${file} failed: ${(stderr || stdout || message).trim().slice(-MESSAGE_CHARACTERS)}`, { cause: error });
  }
}

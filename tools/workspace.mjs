// What every script below tools/ shares: where the repository is, how a script speaks, and how it ends.
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Absolute path of the repository. */
export const workspaceRoot = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/** A failure that the reader can act on: its message is the whole output, no stack trace. */
export class Refusal extends Error {}

/**
 * One line to the person who waits. Always stderr: stdout belongs to the program that is started.
 * @param {string} line
 */
export function say(line) {
  process.stderr.write(`${line}\n`);
}

/**
 * @param {number} sinceMs a time from `performance.now()`
 * @returns {string} for example `3.4 s`
 */
export function secondsSince(sinceMs) {
  return `${((performance.now() - sinceMs) / 1000).toFixed(1)} s`;
}

/**
 * Runs a script's body. Its return value is the exit status; a Refusal is printed as its sentence.
 * @param {() => Promise<number>} body
 */
export async function runScript(body) {
  try {
    process.exitCode = await body();
  } catch (error) {
    say(error instanceof Refusal ? error.message : `This should not happen: ${error instanceof Error ? error.stack : String(error)}`);
    process.exitCode = 1;
  }
}

/**
 * @param {string} moduleUrl `import.meta.url` of the caller
 * @returns {boolean} whether node was started with that file
 */
export function isMain(moduleUrl) {
  return process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(moduleUrl);
}

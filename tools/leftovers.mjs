// What a test run must not leave behind: processes, and folders below its TMPDIR.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * `environment` is undefined where this user may not read it (another user's process).
 * @typedef {{ pid: number, parent: number, command: string, environment: string | undefined }} Process
 */

/**
 * @returns {Process[]} all processes of this machine that have a command line
 */
export function listProcesses() {
  return existsSync('/proc/self/stat') ? processesOfLinux() : processesOfPs();
}

function processesOfLinux() {
  return entriesOf('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    const command = read(`/proc/${name}/cmdline`)?.replaceAll('\0', ' ').trim();
    const status = read(`/proc/${name}/stat`);
    if (!command || status === undefined) return [];
    // The name in parentheses may hold spaces; state and parent follow the last one.
    const parent = Number(status.slice(status.lastIndexOf(')') + 2).split(' ')[1]);
    return [{ pid: Number(name), parent, command, environment: read(`/proc/${name}/environ`) }];
  });
}

/** Elsewhere `ps` tells, with each environment behind its command line. */
function processesOfPs() {
  const lines = execFileSync('ps', ['-axEwwo', 'pid=,ppid=,command='], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 }).split('\n');
  return lines.flatMap((line) => {
    const [, pid, parent, command] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
    return command === undefined ? [] : [{ pid: Number(pid), parent: Number(parent), command, environment: undefined }];
  });
}

/**
 * @param {{ before: Process[], now: Process[], root: string, folder: string }} run `folder` is the run's own TMPDIR
 * @returns {Process[]} those that the run started: its folder stands in their command line or environment, or they are
 *   new orphans of this repository (a shell's own `npm start` beside the tests has a living parent)
 */
export function leftoverProcesses({ before, now, root, folder }) {
  const known = new Set(before.map(({ pid }) => pid));
  return now.filter((found) => {
    if (known.has(found.pid) || found.pid === process.pid) return false;
    return isOwn(found, folder) || (found.parent === 1 && found.command.includes(root));
  });
}

/**
 * @param {Process} found
 * @param {string} folder
 * @returns {boolean} whether the process surely belongs to the run that made the folder
 */
export function isOwn({ command, environment }, folder) {
  return command.includes(folder) || environment?.includes(folder) === true;
}

/**
 * Waits until nothing is left, since a process may be on its way out.
 * @param {{ before: Process[], root: string, folder: string, deadlineMs?: number }} run
 * @returns {Promise<Process[]>} what is still there at the deadline
 */
export async function awaitNoLeftovers({ deadlineMs = 5_000, ...run }) {
  const endMs = performance.now() + deadlineMs;
  for (;;) {
    const left = leftoverProcesses({ ...run, now: listProcesses() });
    if (left.length === 0 || performance.now() > endMs) return left;
    await delay(100);
  }
}

/**
 * @param {string} folder
 * @returns {string[]} names of what is in it
 */
export function entriesOf(folder) {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** @param {string} path */
function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

// One run of Jest, with a count that can be trusted: what did not run is a failure, and so is a run that does not end.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { findNode24 } from './node24.mjs';
import { workspaceRoot } from './workspace.mjs';

/** @type {NodeJS.Signals[]} */
const stopSignals = ['SIGINT', 'SIGTERM'];
const mostWorkers = 4;
const exitGraceMs = 20_000;

/**
 * @typedef {{ passed: number, failed: number, notes: string[] }} Count
 * @typedef {{ numPassedTests: number, numFailedTests: number, numPendingTests: number, numTodoTests: number, numRuntimeErrorTestSuites: number, numTotalTests: number, success: boolean, testResults?: JestFile[] }} JestResult
 * @typedef {{ name: string, message: string, assertionResults: { fullName: string, status: string }[] }} JestFile
 */

/**
 * @param {{ projects: string[], longestMs: number, env?: Record<string, string>, live?: boolean, paths?: string[], workers?: number }} options
 *   `projects`: names of jest.config.mjs; a run that is not over after `longestMs` is ended; `live` shows Jest's own output as it comes, else it is returned;
 *   `paths`: only these, and what is below them; `workers`: files that run at a time, one per core unless told
 * @returns {Promise<Count & { output: string }>} rejects when a signal stopped it: nothing else is to be run then
 */
export async function runJest({ projects, longestMs, env = {}, live = false, paths = [], workers = oneForEachCore() }) {
  const folder = mkdtempSync(join(tmpdir(), 'tokone-jest-'));
  const resultPath = join(folder, 'result.json');
  const cache = join(workspaceRoot, 'node_modules', '.cache', 'jest');
  const command = ['--experimental-vm-modules', '--no-warnings=ExperimentalWarning', 'node_modules/jest/bin/jest.js', '--ci', '--json'];
  const options = ['--outputFile', resultPath, '--cacheDirectory', cache, `--maxWorkers=${workers}`, '--selectProjects', ...projects];
  try {
    const { output, hung, stopped } = await run([...command, ...paths, ...options], { env, live, resultPath, longestMs });
    if (stopped) throw new Error(hung);
    const count = countOf(readResult(resultPath));
    if (hung !== undefined) count.notes.push(hung);
    return { ...count, failed: count.failed + (hung === undefined ? 0 : 1), output };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Jest leaves one core to a watching developer; nobody watches here. */
function oneForEachCore() {
  return Math.min(availableParallelism(), mostWorkers);
}

/**
 * @param {string[]} args
 * @param {{ env: Record<string, string>, live: boolean, resultPath: string, longestMs: number }} options
 * @returns {Promise<{ output: string, hung: string | undefined, stopped: boolean }>} `hung`: why the run had to be ended;
 *   `stopped`: because somebody wanted it
 */
function run(args, { env, live, resultPath, longestMs }) {
  return new Promise((resolve, reject) => {
    const stderr = live ? 'inherit' : 'pipe';
    // A group of its own: a worker in an endless loop does not notice that Jest is gone, and must be ended with it.
    const options = { cwd: workspaceRoot, env: { ...process.env, ...env }, detached: true };
    const child = spawn(findNode24(), args, { ...options, stdio: ['ignore', 'ignore', stderr] });
    let output = '';
    /** @type {string | undefined} */
    let hung;
    child.stderr?.on('data', (bytes) => (output += bytes.toString('utf8')));
    const stop = (/** @type {string} */ reason) => {
      hung = reason;
      endGroup(child.pid);
    };
    let stopped = false;
    const interrupt = (/** @type {NodeJS.Signals} */ name) => {
      stopped = true;
      stop(`The tests were stopped by ${name}.`);
    };
    for (const name of stopSignals) process.once(name, interrupt);
    const longest = setTimeout(stop, longestMs, `Jest was not done after ${longestMs / 60_000} minutes: a test runs for ever.`);
    const lingering = 'Jest did not exit after the last test: a test left a server, timer or child process open.';
    /** @type {NodeJS.Timeout | undefined} */
    let grace;
    const watch = setInterval(() => {
      if (grace === undefined && readResult(resultPath) !== undefined) grace = setTimeout(stop, exitGraceMs, lingering);
    }, 1_000);
    const settle = () => {
      clearTimeout(longest);
      clearTimeout(grace);
      clearInterval(watch);
      for (const name of stopSignals) process.removeListener(name, interrupt);
    };
    child.once('error', (error) => {
      settle();
      reject(error);
    });
    child.once('close', () => {
      settle();
      resolve({ output, hung, stopped });
    });
  });
}

/** @param {number | undefined} leader */
function endGroup(leader) {
  try {
    if (leader !== undefined) process.kill(-leader, 'SIGKILL');
  } catch {
    // It ended by itself meanwhile.
  }
}

/**
 * @param {string} path
 * @returns {JestResult | undefined} undefined while Jest has not (completely) written it
 */
function readResult(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/**
 * @param {JestResult | undefined} result
 * @returns {Count} skipped and unwritten tests, suites that could not run, and an empty run count as failed
 */
export function countOf(result) {
  if (result === undefined) return { passed: 0, failed: 1, notes: ['Jest ended without a result.'] };
  const notes = (result.testResults ?? []).flatMap(failuresOf);
  const skipped = result.numPendingTests + result.numTodoTests;
  if (skipped > 0) notes.push(`${skipped} tests were skipped; a test runs or it is removed.`);
  if (result.numRuntimeErrorTestSuites > 0) notes.push(`${result.numRuntimeErrorTestSuites} suites could not run.`);
  let failed = result.numFailedTests + skipped + result.numRuntimeErrorTestSuites;
  if (result.numTotalTests === 0) {
    failed += 1;
    notes.push('No tests were found.');
  }
  if (failed === 0 && !result.success) {
    failed = 1;
    notes.push('Jest reports a failure outside of the tests.');
  }
  return { passed: result.numPassedTests, failed, notes };
}

/**
 * @param {JestFile} file
 * @returns {string[]} a line for each failed test, and for a file that could not run
 */
function failuresOf({ name, message, assertionResults }) {
  const path = relative(workspaceRoot, name);
  if (assertionResults.length === 0 && message !== '') return [`FAILED  ${path}`];
  return assertionResults.filter(({ status }) => status === 'failed').map(({ fullName }) => `FAILED  ${path}: ${fullName}`);
}

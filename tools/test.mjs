// npm test [-- --all], npm run test:services, test:faults, test:all: everything on real parts, or a part of it by name.
// The last line is `N passed, N failed`, and the exit status says the same.
import { chmodSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureBuilt } from './build.mjs';
import { check } from './check.mjs';
import { ensureInstalled } from './install.mjs';
import { runJest } from './jest-run.mjs';
import { awaitNoLeftovers, entriesOf, isOwn, listProcesses } from './leftovers.mjs';
import { readTestArguments, stepsOf } from './test-steps.mjs';
import { runScript, say, secondsSince, workspaceRoot } from './workspace.mjs';

const total = { passed: 0, failed: 0 };

await runScript(async () => {
  const choice = readTestArguments(process.argv.slice(2));
  try {
    await runAll(choice);
  } catch (error) {
    fail(error instanceof Error ? error.message : String(error));
  }
  process.stdout.write(`${total.passed} passed, ${total.failed} failed\n`);
  return total.failed === 0 ? 0 : 1;
});

/** @param {import('./test-steps.mjs').Choice} choice */
async function runAll(choice) {
  await ensureInstalled();
  process.chdir(workspaceRoot);
  const before = listProcesses();
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'tokone-test-')));
  // PostgreSQL runs as a user of its own when the tests run as root: it must be able to pass through.
  chmodSync(folder, 0o755);
  // Some tools keep a cache of compiled code in there; it is not the tests' own.
  const env = { TMPDIR: folder, NODE_DISABLE_COMPILE_CACHE: '1' };
  try {
    if (choice.checked) add(await check({ env }));
    if (await built()) for (const step of stepsOf(choice)) await runStep(step, env);
  } finally {
    await reportLeftovers(before, folder);
    rmSync(folder, { recursive: true, force: true });
  }
}

async function built() {
  try {
    await ensureBuilt();
    return true;
  } catch (error) {
    fail(`${error instanceof Error ? error.message : String(error)} The tests on real parts did not run.`);
    return false;
  }
}

/**
 * @param {import('./test-steps.mjs').Step} step
 * @param {Record<string, string>} env
 */
async function runStep({ title, env: ofStep, ...run }, env) {
  const startedMs = performance.now();
  const result = await runJest({ ...run, longestMs: 40 * 60_000, env: { ...env, ...ofStep }, live: true });
  for (const note of result.notes) say(note);
  add(result);
  say(`${result.failed === 0 ? 'ok    ' : 'FAILED'}  ${title} (${secondsSince(startedMs)}, ${result.passed} passed${result.failed > 0 ? `, ${result.failed} failed` : ''})`);
}

/**
 * @param {import('./leftovers.mjs').Process[]} before
 * @param {string} folder
 */
async function reportLeftovers(before, folder) {
  const left = await awaitNoLeftovers({ before, root: workspaceRoot, folder });
  for (const process of left) {
    fail(`A test left a process behind: ${process.pid} ${process.command.slice(0, 200)}`);
    if (isOwn(process, folder)) endProcess(process.pid);
  }
  for (const name of entriesOf(folder)) fail(`A test left ${name} behind in its TMPDIR.`);
}

/**
 * Only what carries the run's own folder is ended: a machine that runs the tests daily must not fill up.
 * @param {number} pid
 */
function endProcess(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself meanwhile.
  }
}

/** @param {{ passed: number, failed: number }} count */
function add({ passed, failed }) {
  total.passed += passed;
  total.failed += failed;
}

/** @param {string} sentence */
function fail(sentence) {
  say(sentence);
  total.failed += 1;
}

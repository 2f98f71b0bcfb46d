// npm run check: lock, graph, lint, types, unit tests, in under two minutes.
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { ensureInstalled } from './install.mjs';
import { runJest } from './jest-run.mjs';
import { checkLock } from './lock-check.mjs';
import { findNode24 } from './node24.mjs';
import { isMain, runScript, say, secondsSince, workspaceRoot } from './workspace.mjs';

const quietNx = { NX_DAEMON: 'false', NX_NO_CLOUD: 'true', NX_TUI: 'false' };

/**
 * What one step found; a step that is not a test run counts as one failure when it fails.
 * @typedef {{ passed: number, failed: number, output: string }} Finding
 * @typedef {{ name: string, run: (env: Record<string, string>) => Promise<Finding> }} Step
 */

/** @type {Step[]} */
const steps = [
  { name: 'lock', run: async () => asFinding(checkLock().join('\n')) },
  // Before lint: without a graph on disk the boundary rule lets everything pass, and says so only in a warning.
  { name: 'graph', run: () => runTool(['node_modules/nx/dist/bin/nx.js', 'show', 'projects']) },
  { name: 'lint', run: lint },
  { name: 'types', run: types },
  { name: 'unit tests', run: unitTests },
];

/**
 * @param {{ env?: Record<string, string> }} [options] `env` is added to the environment of the unit tests
 * @returns {Promise<{ passed: number, failed: number }>}
 */
export async function check({ env = {} } = {}) {
  const total = { passed: 0, failed: 0 };
  for (const { name, run } of steps) {
    const startedMs = performance.now();
    const { passed, failed, output } = await run(env);
    total.passed += passed;
    total.failed += failed;
    if (failed > 0) say(output.trimEnd());
    const count = passed > 0 ? `, ${passed} passed` : '';
    say(`${failed === 0 ? 'ok    ' : 'FAILED'}  ${name} (${secondsSince(startedMs)}${count}${failed > 0 ? `, ${failed} failed` : ''})`);
  }
  return total;
}

/**
 * @param {string} problems empty when there are none
 * @returns {Finding}
 */
function asFinding(problems) {
  return { passed: 0, failed: problems === '' ? 0 : 1, output: problems };
}

async function lint() {
  const finding = await runTool(['node_modules/eslint/bin/eslint.js', '.']);
  return finding.output.includes('The rule will be skipped') ? { ...finding, failed: 1 } : finding;
}

async function types() {
  mkdirSync('node_modules/.cache', { recursive: true });
  const compiler = 'node_modules/typescript7/bin/tsc';
  const sources = await runTool([compiler, '-b']);
  return sources.failed > 0 ? sources : runTool([compiler, '-p', 'tsconfig.spec.json']);
}

/** @param {Record<string, string>} env */
async function unitTests(env) {
  const { passed, failed, notes, output } = await runJest({ projects: ['unit'], longestMs: 10 * 60_000, env });
  return { passed, failed, output: [output, ...notes].join('\n') };
}

/**
 * @param {string[]} args
 * @returns {Promise<Finding>}
 */
function runTool(args) {
  return new Promise((resolve) => {
    const child = spawn(findNode24(), args, { cwd: workspaceRoot, env: { ...process.env, ...quietNx }, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const keep = (/** @type {Buffer} */ bytes) => (output += bytes.toString('utf8'));
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('error', (error) => resolve({ passed: 0, failed: 1, output: error.message }));
    child.once('close', (code) => resolve({ passed: 0, failed: code === 0 ? 0 : 1, output }));
  });
}

if (isMain(import.meta.url)) {
  await runScript(async () => {
    await ensureInstalled();
    process.chdir(workspaceRoot);
    const { failed } = await check();
    return failed === 0 ? 0 : 1;
  });
}

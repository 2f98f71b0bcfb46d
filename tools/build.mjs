// Compiles apps and libs when a source changed since the last build.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withLock } from './exclusive.mjs';
import { ensureInstalled } from './install.mjs';
import { findNode24 } from './node24.mjs';
import { isMain, Refusal, runScript, say, secondsSince, workspaceRoot } from './workspace.mjs';

const sourceFolders = ['apps', 'libs'];
const rootInputs = ['tsconfig.json', 'tsconfig.base.json', 'package-lock.json'];

/**
 * @param {{ root?: string, signal?: AbortSignal }} [options]
 * @throws {Refusal} when a source does not compile; the compiler's own lines went to stderr
 */
export async function ensureBuilt({ root = workspaceRoot, signal } = {}) {
  if (isUpToDate(root, fingerprintOf(root))) return;
  const onWait = () => say('Another start is building; waiting for it …');
  await withLock({ path: join(root, '.nx', 'build.lock'), onWait, signal }, async () => {
    // Taken before the compiler reads: a file saved meanwhile makes the next start build again.
    const fingerprint = fingerprintOf(root);
    if (isUpToDate(root, fingerprint)) return;
    const startedMs = performance.now();
    say('Building …');
    await compile(root, signal);
    writeFileSync(stampPath(root), fingerprint);
    say(`Built in ${secondsSince(startedMs)}.`);
  });
}

/** @param {string} root */
function stampPath(root) {
  return join(root, 'node_modules', '.tokone-build');
}

/**
 * @param {string} root
 * @param {string} fingerprint
 */
function isUpToDate(root, fingerprint) {
  if (!existsSync(stampPath(root)) || readFileSync(stampPath(root), 'utf8') !== fingerprint) return false;
  return referencesOf(root).every((path) => existsSync(join(root, path, 'dist', '.tsbuildinfo')));
}

/**
 * @param {string} root
 * @returns {string[]} the folders that the root tsconfig.json names
 */
function referencesOf(root) {
  /** @type {{ references: { path: string }[] }} */
  const config = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8'));
  return config.references.map(({ path }) => path);
}

/**
 * Names, sizes and times of all sources: reading contents would cost every start more than the build it saves, and a
 * newest time alone would miss a file that was deleted or checked out older.
 * @param {string} root
 * @returns {string}
 */
export function fingerprintOf(root) {
  const digest = createHash('sha256');
  const visit = (/** @type {string} */ path) => {
    const { mtimeMs, size } = statSync(join(root, path));
    digest.update(`${path}\0${mtimeMs}\0${size}\n`);
  };
  for (const path of rootInputs) if (existsSync(join(root, path))) visit(path);
  for (const folder of sourceFolders) for (const path of sourcesBelow(root, folder)) visit(path);
  return digest.digest('hex');
}

/**
 * @param {string} root
 * @param {string} folder
 * @returns {Generator<string>} in a stable order
 */
function* sourcesBelow(root, folder) {
  const entries = readdirSync(join(root, folder), { withFileTypes: true });
  entries.sort((left, right) => (left.name < right.name ? -1 : 1));
  for (const entry of entries) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) {
      if (entry.name !== 'dist' && entry.name !== 'node_modules') yield* sourcesBelow(root, path);
    } else if (/\.(ts|tsx|json)$/.test(entry.name) && !entry.name.endsWith('.spec.ts')) {
      yield path;
    }
  }
}

/**
 * @param {string} root
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>}
 */
function compile(root, signal) {
  const compiler = join(root, 'node_modules', 'typescript7', 'bin', 'tsc');
  return new Promise((resolve, reject) => {
    // The compiler's lines go to stderr, like all that is not the started program's own output.
    const child = spawn(findNode24({ root }), [compiler, '-b'], { cwd: root, stdio: ['ignore', 2, 2] });
    const stop = () => child.kill('SIGTERM');
    signal?.addEventListener('abort', stop, { once: true });
    child.once('error', (error) => reject(new Refusal(`The compiler could not be started (${error.message}).`)));
    child.once('close', (code) => {
      signal?.removeEventListener('abort', stop);
      if (signal?.aborted) reject(new Refusal('Stopped while building.'));
      else if (code !== 0) reject(new Refusal('The build failed; the lines above say where.'));
      else resolve();
    });
  });
}

if (isMain(import.meta.url)) {
  await runScript(async () => {
    await ensureInstalled();
    await ensureBuilt();
    return 0;
  });
}

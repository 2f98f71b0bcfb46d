// Makes node_modules agree with package-lock.json, and says what is going on meanwhile.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { withLock } from './exclusive.mjs';
import { majorOf } from './node24.mjs';
import { isMain, Refusal, runScript, say, secondsSince, workspaceRoot } from './workspace.mjs';

const progressEveryMs = 4_000;
const keptOutputBytes = 64 * 1024;

/**
 * @typedef {{ version?: string, link?: boolean, optional?: boolean, devOptional?: boolean }} LockedPackage
 * @typedef {{ packages?: Record<string, LockedPackage> }} Lock
 */

/**
 * Installs when needed. Returns at once (about 5 ms) when the stamp agrees with the lock.
 * @param {{ root?: string, signal?: AbortSignal }} [options]
 * @throws {Refusal} with a sentence that says what to do
 */
export async function ensureInstalled({ root = workspaceRoot, signal } = {}) {
  if (majorOf(process.versions.node) < 18) {
    throw new Refusal(`TokOne needs Node 20 or later to install itself; this is Node ${process.versions.node}.`);
  }
  if (isInstalled(root)) return;
  const onWait = () => say('Another start is installing; waiting for it …');
  await withLock({ path: join(root, '.nx', 'install.lock'), onWait, signal }, async () => {
    if (isInstalled(root)) return;
    if (!adoptExisting(root)) await runNpmCi(root, signal);
    writeFileSync(stampPath(root), stampFor(root));
  });
}

/** @param {string} root */
function isInstalled(root) {
  return existsSync(stampPath(root)) && readFileSync(stampPath(root), 'utf8') === stampFor(root);
}

/** @param {string} root */
function stampPath(root) {
  return join(root, 'node_modules', '.tokone-lock');
}

/**
 * @param {string} root
 * @returns {string} the lock's digest and the platform, since a folder copied to another machine holds the wrong binaries
 */
export function stampFor(root) {
  const path = join(root, 'package-lock.json');
  if (!existsSync(path)) throw new Refusal(`There is no package-lock.json in ${root}; get a complete copy of the repository.`);
  return `${createHash('sha256').update(readFileSync(path)).digest('hex')} ${process.platform}-${process.arch}\n`;
}

/**
 * Somebody may have run `npm ci` by hand: npm's own record of node_modules tells, and nothing is installed twice.
 * @param {string} root
 */
function adoptExisting(root) {
  const installed = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(installed)) return false;
  return agrees(readJson(join(root, 'package-lock.json')), readJson(installed));
}

/**
 * @param {string} path
 * @returns {Lock}
 */
function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}

/**
 * @param {Lock} wanted the repository's lock
 * @param {Lock} installed npm's record of what stands in node_modules
 * @returns {boolean} whether all that is wanted is there in the same version; optional packages may be absent
 */
export function agrees(wanted, installed) {
  const present = installed.packages ?? {};
  return lockedPaths(wanted).every(([path, entry]) => {
    const found = present[path];
    if (found === undefined) return entry.optional === true || entry.devOptional === true;
    return found.version === entry.version && found.link === entry.link;
  });
}

/**
 * @param {Lock} lock
 * @returns {[string, LockedPackage][]}
 */
function lockedPaths(lock) {
  return Object.entries(lock.packages ?? {}).filter(([path]) => path.includes('node_modules/'));
}

/**
 * @param {string} root
 * @param {AbortSignal} [signal]
 */
async function runNpmCi(root, signal) {
  const startedMs = performance.now();
  const entries = lockedPaths(readJson(join(root, 'package-lock.json')));
  const paths = entries.filter(([, entry]) => entry.link !== true).map(([path]) => path);
  say(`Installing ${paths.length} packages; this takes a minute or two, once …`);
  const progress = setInterval(() => say(progressLine(root, paths, startedMs)), progressEveryMs);
  try {
    const { code, output } = await npm(root, signal);
    if (signal?.aborted) throw new Refusal('Stopped while installing; the next start begins again.');
    if (code !== 0) throw new Refusal(explainNpmFailure(output));
  } finally {
    clearInterval(progress);
  }
  say(`Packages installed in ${secondsSince(startedMs)}.`);
}

/**
 * npm creates all folders first and fills them as downloads arrive: a package is there when its manifest is.
 * @param {string} root
 * @param {string[]} paths
 * @param {number} startedMs
 */
function progressLine(root, paths, startedMs) {
  const present = paths.filter((path) => existsSync(join(root, path, 'package.json'))).length;
  const doing = present === 0 ? 'asking the package registry' : `${present} of at most ${paths.length} packages in place`;
  return `  … ${doing} (${secondsSince(startedMs)})`;
}

/**
 * @param {string} root
 * @param {AbortSignal} [signal]
 * @returns {Promise<{ code: number, output: string }>}
 */
function npm(root, signal) {
  const [command, ...prefix] = npmCommand();
  const args = [...prefix, 'ci', '--no-audit', '--no-fund', '--loglevel=error', '--no-progress'];
  return new Promise((resolve, reject) => {
    const child = spawn(/** @type {string} */ (command), args, { cwd: root, env: npmEnvironment(root), stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const keep = (/** @type {Buffer} */ bytes) => {
      output = (output + bytes.toString('utf8')).slice(-keptOutputBytes);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const stop = () => child.kill('SIGTERM');
    signal?.addEventListener('abort', stop, { once: true });
    child.once('error', (/** @type {NodeJS.ErrnoException} */ error) => {
      reject(new Refusal(error.code === 'ENOENT' ? npmMissing : `npm could not be started (${error.message}).`));
    });
    child.once('close', (code) => {
      signal?.removeEventListener('abort', stop);
      resolve({ code: code ?? 1, output });
    });
  });
}

const npmMissing = 'TokOne installs its packages with npm, and there is no npm on the PATH. Install Node.js 20 or later together with npm and try again.';

/** Under `npm start` the same npm on the same Node; else the one on the PATH. */
function npmCommand() {
  const { npm_execpath: cli, npm_node_execpath: node } = process.env;
  const usable = cli?.endsWith('npm-cli.js') && node !== undefined && existsSync(cli) && existsSync(node);
  return usable ? [/** @type {string} */ (node), /** @type {string} */ (cli)] : ['npm'];
}

/**
 * `npm ci` empties node_modules, the Node in its .bin too: npm must not run on that one.
 * @param {string} root
 */
function npmEnvironment(root) {
  const own = join(root, 'node_modules', '.bin');
  const path = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== own);
  return { ...process.env, PATH: path.join(delimiter), NODE_ENV: 'development' };
}

const knownFailures = [
  { pattern: /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ERR_SOCKET_TIMEOUT/, sentence: 'The package registry could not be reached. Check the network and the proxy and registry settings of npm, and try again.' },
  { pattern: /ENOSPC/, sentence: 'The disk is full; the packages need about 1 GB. Free some space and try again.' },
  { pattern: /EACCES|EPERM|EROFS/, sentence: 'The folder of the repository, or the cache of npm, cannot be written by this user. Check who owns them and try again.' },
  { pattern: /E401|E403|ENEEDAUTH/, sentence: 'The package registry refused this machine. Check the registry and credentials in your npm settings and try again.' },
  { pattern: /E404|ETARGET/, sentence: 'The package registry does not have one of the packages. Check the registry in your npm settings and try again.' },
  { pattern: /EINTEGRITY/, sentence: 'A downloaded package does not match its recorded digest. Run `npm cache clean --force` and try again.' },
  { pattern: /EUSAGE/, sentence: 'package.json and package-lock.json do not agree. Get a clean copy of the repository, or run `npm install`.' },
  { pattern: /CERT|certificate/, sentence: 'The certificate of the package registry is not trusted here. Check the `cafile` setting of npm or NODE_EXTRA_CA_CERTS, and try again.' },
];

/**
 * @param {string} output what npm printed
 * @returns {string} what went wrong and what to do, with npm's own first lines for the rest
 */
export function explainNpmFailure(output) {
  const known = knownFailures.find(({ pattern }) => pattern.test(output));
  const lines = output.split('\n').filter((line) => line.trim() !== '' && !line.includes('A complete log'));
  const detail = lines.slice(0, 6).map((line) => `  ${line}`);
  return [known?.sentence ?? 'npm could not install the packages:', ...detail].join('\n');
}

if (isMain(import.meta.url)) {
  await runScript(async () => {
    await ensureInstalled();
    return 0;
  });
}

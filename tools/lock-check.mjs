// Proves without a network that `npm ci` will accept package-lock.json, on every platform and behind any registry.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMain, runScript, say, workspaceRoot } from './workspace.mjs';

/**
 * @typedef {Record<string, string>} Dependencies
 * @typedef {{ dependencies?: Dependencies, devDependencies?: Dependencies, optionalDependencies?: Dependencies }} Manifest
 * @typedef {Manifest & { version?: string, resolved?: string, link?: boolean }} LockedPackage
 * @typedef {{ packages: Record<string, LockedPackage> }} Lock
 */

const kinds = /** @type {const} */ (['dependencies', 'devDependencies', 'optionalDependencies']);

/**
 * @param {{ lock: Lock, manifestOf: (folder: string) => Manifest | undefined }} workspace `''` is the root's folder
 * @returns {string[]} one sentence for each problem
 */
export function lockProblems({ lock, manifestOf }) {
  return [...missingOptional(lock), ...downloadAddresses(lock), ...inexactVersions(lock, manifestOf), ...staleWorkspaces(lock, manifestOf)];
}

/**
 * A registry that lacks a package for some platform makes `npm install` write a lock without it, and `npm ci` refuse it.
 * @param {Lock} lock
 */
function missingOptional(lock) {
  return Object.entries(lock.packages).flatMap(([path, entry]) =>
    Object.entries(entry.optionalDependencies ?? {})
      .filter(([name]) => locate(lock, path, name) === undefined)
      .map(([name, version]) => `${path || 'package.json'} names ${name}@${version} as optional, and the lock does not have it: npm ci would refuse. Take a version whose platform packages are all published.`),
  );
}

/**
 * Node's own rule: the nearest node_modules on the way up.
 * @param {Lock} lock
 * @param {string} from
 * @param {string} name
 */
function locate(lock, from, name) {
  for (let folder = from; ; folder = parentOf(folder)) {
    const entry = lock.packages[`${folder === '' ? '' : `${folder}/`}node_modules/${name}`];
    if (entry !== undefined) return entry;
    if (folder === '') return undefined;
  }
}

/** @param {string} folder */
function parentOf(folder) {
  const end = folder.lastIndexOf('/node_modules/');
  return end < 0 ? '' : folder.slice(0, end);
}

/** @param {Lock} lock */
function downloadAddresses(lock) {
  return Object.entries(lock.packages)
    .filter(([, entry]) => /^(https?|git)/.test(entry.resolved ?? ''))
    .map(([path]) => `${path} records a download address, which other registries do not serve: npm install --omit-lockfile-registry-resolved keeps them out.`);
}

/**
 * @param {Lock} lock
 * @param {(folder: string) => Manifest | undefined} manifestOf
 */
function inexactVersions(lock, manifestOf) {
  const manifest = manifestOf('') ?? {};
  return kinds.flatMap((kind) =>
    Object.entries(manifest[kind] ?? {}).flatMap(([name, wanted]) => {
      const version = wanted.replace(/^npm:.+@/, '');
      if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)) return [`package.json asks for ${name}@${wanted}: state one exact version.`];
      const locked = lock.packages[`node_modules/${name}`]?.version;
      return locked === version ? [] : [`package.json asks for ${name}@${version}, the lock has ${locked ?? 'none'}: run npm install.`];
    }),
  );
}

/**
 * @param {Lock} lock
 * @param {(folder: string) => Manifest | undefined} manifestOf
 */
function staleWorkspaces(lock, manifestOf) {
  const folders = Object.keys(lock.packages).filter((path) => !path.includes('node_modules/'));
  return folders.flatMap((folder) => {
    const manifest = manifestOf(folder);
    if (manifest === undefined) return [`The lock has the workspace ${folder}, which has no package.json: run npm install.`];
    const differing = kinds.filter((kind) => canonical(manifest[kind]) !== canonical(lock.packages[folder]?.[kind]));
    return differing.map((kind) => `${kind} of ${folder || 'the root'} differ between package.json and the lock: run npm install.`);
  });
}

/** @param {Dependencies | undefined} dependencies */
function canonical(dependencies) {
  return JSON.stringify(Object.entries(dependencies ?? {}).sort(([left], [right]) => (left < right ? -1 : 1)));
}

/**
 * @param {string} [root]
 * @returns {string[]}
 */
export function checkLock(root = workspaceRoot) {
  /** @type {(path: string) => any} */
  const read = (path) => JSON.parse(readFileSync(join(root, path), 'utf8'));
  const manifestOf = (/** @type {string} */ folder) => {
    try {
      return read(join(folder, 'package.json'));
    } catch {
      return undefined;
    }
  };
  return lockProblems({ lock: read('package-lock.json'), manifestOf });
}

if (isMain(import.meta.url)) {
  await runScript(async () => {
    const problems = checkLock();
    for (const problem of problems) say(problem);
    return problems.length === 0 ? 0 : 1;
  });
}

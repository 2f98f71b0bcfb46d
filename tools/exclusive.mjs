// One process at a time: several starts of a fresh clone must not install or compile over each other.
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Refusal } from './workspace.mjs';

const heartbeatMs = 2_000;
const staleAfterMs = 20_000;

/**
 * Runs `work` while holding the lock file, waiting for another holder first. A lock whose process is gone, or whose
 * heartbeat stopped (a process of another container, which cannot be asked), is taken over.
 * @template T
 * @param {{ path: string, onWait?: () => void, signal?: AbortSignal, pollMs?: number }} lock
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withLock({ path, onWait = () => {}, signal, pollMs = 200 }, work) {
  const token = `${process.pid} ${randomUUID()}`;
  let waited = false;
  while (!(await tryTake(path, token))) {
    if (!waited) onWait();
    waited = true;
    await delay(pollMs, undefined, { signal });
  }
  const heartbeat = setInterval(() => touch(path), heartbeatMs);
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    if (readOwner(path) === token) rmSync(path, { force: true });
  }
}

/**
 * @param {string} path
 * @param {string} token
 */
async function tryTake(path, token) {
  if (create(path, token)) return true;
  const owner = readOwner(path);
  if (owner !== undefined && !isStale(path, owner)) return false;
  if (owner !== undefined) moveAside(path, owner);
  if (!create(path, token)) return false;
  // Two processes may have judged the same lock stale at once; the later rename may have taken the winner's file.
  await delay(50);
  return readOwner(path) === token;
}

/**
 * @param {string} path
 * @param {string} token
 */
function create(path, token) {
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, token, { flag: 'wx' });
    return true;
  } catch (error) {
    const { code, message } = /** @type {NodeJS.ErrnoException} */ (error);
    if (code === 'EEXIST') return false;
    throw new Refusal(`The folder ${dirname(path)} cannot be written (${code ?? message}); TokOne installs and builds inside its own folder.`);
  }
}

/**
 * @param {string} path
 * @returns {string | undefined}
 */
function readOwner(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/**
 * @param {string} path
 * @param {string} owner
 */
function isStale(path, owner) {
  try {
    if (Date.now() - statSync(path).mtimeMs > staleAfterMs) return true;
  } catch {
    return false;
  }
  const pid = Number.parseInt(owner, 10);
  return Number.isInteger(pid) && !isAlive(pid);
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
}

/**
 * @param {string} path
 * @param {string} owner
 */
function moveAside(path, owner) {
  const aside = `${path}.${randomUUID()}`;
  try {
    if (readOwner(path) === owner) renameSync(path, aside);
    rmSync(aside, { force: true });
  } catch {
    // Another process was quicker; the next round sees its lock.
  }
}

/** @param {string} path */
function touch(path) {
  try {
    utimesSync(path, new Date(), new Date());
  } catch {
    // The lock was taken over after a long suspension; the holder notices at the end.
  }
}

// Installs, builds, and runs one app as a child that inherits the terminal and the environment.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { ensureBuilt } from './build.mjs';
import { ensureInstalled } from './install.mjs';
import { findNode24 } from './node24.mjs';
import { Refusal, say, workspaceRoot } from './workspace.mjs';

/** @type {NodeJS.Signals[]} */
const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
const forwardAfterMs = 250;

/**
 * @param {{ app: string, argv: string[], root?: string }} options `app` is a folder below apps/
 * @returns {Promise<number>} exit status: the app's own
 */
export async function launch({ app, argv, root = workspaceRoot }) {
  const stop = watchStopSignals();
  try {
    await ensureInstalled({ root, signal: stop.signal });
    await ensureBuilt({ root, signal: stop.signal });
  } catch (error) {
    if (stop.received() === undefined) throw error;
    if (error instanceof Refusal) say(error.message);
  }
  const early = stop.received();
  if (early !== undefined) return 128 + constants.signals[early];
  const main = join(root, 'apps', app, 'dist', 'main.js');
  if (!existsSync(main)) throw new Refusal(`apps/${app} has no main.js after the build; get a complete copy of the repository.`);
  return runChild({ command: findNode24({ root }), args: [main, ...argv], stop });
}

/**
 * From the first call on no stop signal ends this process: it must outlive the program that it started.
 * @returns {{ signal: AbortSignal, received: () => NodeJS.Signals | undefined }}
 */
export function watchStopSignals() {
  const controller = new AbortController();
  /** @type {NodeJS.Signals | undefined} */
  let first;
  for (const name of stopSignals) {
    process.on(name, () => {
      first ??= name;
      controller.abort();
    });
  }
  return { signal: controller.signal, received: () => first };
}

/** Where the user stands: npm runs scripts in the repository, but a relative path in a setting means this folder. */
function userFolder() {
  const { INIT_CWD: folder } = process.env;
  return folder !== undefined && existsSync(folder) ? folder : process.cwd();
}

/**
 * Ctrl-C reaches the child by itself, since it shares our process group; a signal sent to npm or to us alone does not,
 * and nothing tells the two apart. So the child gets one SIGTERM if it still runs a moment after our first signal, and
 * an app takes any number of stop signals as one.
 * @param {{ command: string, args: string[], stop: { signal: AbortSignal } }} options
 * @returns {Promise<number>}
 */
function runChild({ command, args, stop }) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'inherit', cwd: userFolder() });
    /** @type {NodeJS.Timeout | undefined} */
    let forward;
    const onStop = () => {
      forward = setTimeout(() => child.kill('SIGTERM'), forwardAfterMs);
    };
    stop.signal.addEventListener('abort', onStop, { once: true });
    child.once('error', (error) => reject(new Refusal(`Node could not be started (${error.message}).`)));
    child.once('exit', (code, signal) => {
      clearTimeout(forward);
      stop.signal.removeEventListener('abort', onStop);
      if (signal !== null) say(`The program was ended by ${signal} before it could stop in order.`);
      resolve(signal === null ? (code ?? 1) : 1);
    });
  });
}

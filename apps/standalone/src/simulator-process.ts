import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { randomBytes } from 'node:crypto';
import { openSync, closeSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { StartupError } from '@tokone/persistence';
import { z } from 'zod';
import { writePrivateFile } from './private-file.js';

export interface RunningSimulator {
  url: string;
  stop(): Promise<void>;
}

const MAIN = fileURLToPath(new URL('../../simulator/dist/main.js', import.meta.url));
/** A simulator whose TokOne was killed waits so long to be taken over by the next start, and then ends by itself. */
const ORPHAN_EXIT_MS = 600_000;
const LIFELINE_MS = 60_000;
const START_DEADLINE_MS = 15_000;
const CALL_DEADLINE_MS = 2_000;

const noteSchema = z.object({ url: z.url(), token: z.string() });
const listeningSchema = z.object({ event: z.literal('listening'), url: z.url() });

/**
 * The simulator as a process of its own, in a session of its own: a kill of TokOne does not take its truth along, and
 * the next start finds it again by the note in the data folder.
 */
export async function startSimulatorProcess(dataFolder: string): Promise<RunningSimulator> {
  const notePath = join(dataFolder, 'simulator.json');
  const left = await readNote(notePath);
  const note = left && (await call(`${left.url}/lifeline`, left.token)) ? left : await spawnSimulator(dataFolder);
  if (note !== left) await writePrivateFile(notePath, `${JSON.stringify(note)}\n`);
  const timer = setInterval(() => void call(`${note.url}/lifeline`, note.token), LIFELINE_MS).unref();
  return {
    url: note.url,
    async stop() {
      clearInterval(timer);
      await call(`${note.url}/shutdown`, note.token);
      await rm(notePath, { force: true });
    },
  };
}

async function readNote(path: string): Promise<z.infer<typeof noteSchema> | undefined> {
  try {
    return noteSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
}

async function spawnSimulator(dataFolder: string): Promise<z.infer<typeof noteSchema>> {
  const token = randomBytes(24).toString('base64url');
  const log = openSync(join(dataFolder, 'simulator.log'), 'a', 0o600);
  const child = spawn(process.execPath, [MAIN], {
    detached: true,
    stdio: ['pipe', 'pipe', log],
    // None of ours: provider keys have no business there.
    env: { SIMULATOR_ORPHAN_EXIT_MS: String(ORPHAN_EXIT_MS), SIMULATOR_TOKEN: token },
  });
  closeSync(log);
  const url = await new Promise<string>((resolve, reject) => {
    const fail = () => reject(new StartupError(`The simulator did not start. ${join(dataFolder, 'simulator.log')} says why.`));
    const timer = setTimeout(fail, START_DEADLINE_MS);
    child.once('error', fail).once('exit', fail);
    createInterface({ input: child.stdout as Socket }).once('line', (line) => {
      clearTimeout(timer);
      child.off('exit', fail);
      resolve(listeningSchema.parse(JSON.parse(line)).url);
    });
  });
  // Its standard input is the lifeline: it closes when this process ends, however it ends.
  child.unref();
  (child.stdin as Socket).unref();
  (child.stdout as Socket).unref();
  return { url, token };
}

async function call(url: string, token: string): Promise<boolean> {
  try {
    const answer = await fetch(url, { method: 'POST', headers: { 'x-shutdown-token': token }, signal: AbortSignal.timeout(CALL_DEADLINE_MS) });
    return answer.ok;
  } catch {
    return false;
  }
}

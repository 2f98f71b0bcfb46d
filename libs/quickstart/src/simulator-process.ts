import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { StartupError } from '@tokone/persistence';
import type { Logger } from '@tokone/telemetry';
import { z } from 'zod';
import { writePrivateFile } from '@tokone/service';
import { endSimulator, renewLifeline } from './simulator-contact.js';
import type { SimulatorContact } from './simulator-contact.js';

const MAIN = fileURLToPath(new URL('../../../apps/simulator/dist/main.js', import.meta.url));
/** A simulator whose TokOne was killed waits so long to be taken over by the next start, and then ends by itself. */
const ORPHAN_EXIT_MS = 600_000;
const WATCH_MS = 1_000;
const LONGEST_WATCH_MS = 60_000;
const START_DEADLINE_MS = 15_000;

const noteSchema = z.object({ url: z.url(), token: z.string().min(1) });
const listeningSchema = z.object({ event: z.literal('listening'), url: z.url() });

/**
 * The simulator as a process of its own, in a session of its own: a kill of TokOne does not take its truth along, and
 * the next start finds it again by the note in the data folder. When it ends by itself it is started again on the same
 * port, so that every address stays; its truth begins anew then.
 */
export class KeptSimulator {
  private child: ChildProcess | undefined;
  private timer: NodeJS.Timeout | undefined;
  private watching: Promise<void> = Promise.resolve();
  private stopped = false;

  private constructor(
    private readonly dataFolder: string,
    private contact: SimulatorContact,
    private readonly logger: Logger,
  ) {}

  /** @throws StartupError when it does not start; nothing is left running then. */
  static async start(dataFolder: string, logger: Logger): Promise<KeptSimulator> {
    const left = await readNote(notePath(dataFolder));
    const adopted = left !== undefined && (await renewLifeline(left)) === 'ours';
    const kept = new KeptSimulator(dataFolder, adopted ? left : { url: '', token: '' }, logger);
    if (!adopted) await kept.spawn(0);
    kept.watchLater(WATCH_MS);
    return kept;
  }

  get url(): string {
    return this.contact.url;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.watching;
    if (!(await endSimulator(this.contact))) this.child?.kill('SIGKILL');
    await rm(notePath(this.dataFolder), { force: true });
  }

  private watchLater(pauseMs: number): void {
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      this.watching = this.watch(pauseMs);
    }, pauseMs).unref();
  }

  private async watch(pauseMs: number): Promise<void> {
    if ((await renewLifeline(this.contact)) !== 'gone') return this.watchLater(WATCH_MS);
    try {
      await this.spawn(Number(new URL(this.contact.url).port));
      this.logger.warn({ url: this.url }, 'the simulator had ended and was started again');
      this.watchLater(WATCH_MS);
    } catch (error) {
      this.logger.error({ cause: String(error) }, 'the simulator ended and does not start again; it is tried later');
      this.watchLater(Math.min(pauseMs * 2, LONGEST_WATCH_MS));
    }
  }

  private async spawn(port: number): Promise<void> {
    const token = randomBytes(24).toString('base64url');
    const { child, url } = await spawnSimulator(join(this.dataFolder, 'simulator.log'), {
      PORT: String(port),
      SIMULATOR_ORPHAN_EXIT_MS: String(ORPHAN_EXIT_MS),
      SIMULATOR_TOKEN: token,
    });
    try {
      await writePrivateFile(notePath(this.dataFolder), `${JSON.stringify({ url, token })}\n`);
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
    this.child = child;
    this.contact = { url, token };
  }
}

function notePath(dataFolder: string): string {
  return join(dataFolder, 'simulator.json');
}

/** A note that is missing or cannot be read leads to a simulator of its own. */
async function readNote(path: string): Promise<SimulatorContact | undefined> {
  try {
    return noteSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
}

/** `environment` is all that it gets: provider keys have no business there. */
async function spawnSimulator(logFile: string, environment: Record<string, string>): Promise<{ child: ChildProcess; url: string }> {
  const log = openSync(logFile, 'a', 0o600);
  const child = spawn(process.execPath, [MAIN], { detached: true, stdio: ['pipe', 'pipe', log], env: environment });
  closeSync(log);
  try {
    const url = await readUrl(child);
    // Its standard input is the lifeline: it closes when this process ends, however it ends.
    child.unref();
    (child.stdin as Socket).unref();
    (child.stdout as Socket).unref();
    return { child, url };
  } catch (cause) {
    child.kill('SIGKILL');
    throw new StartupError(`The simulator did not start. ${logFile} says why.`, { cause });
  }
}

function readUrl(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('no address in time')), START_DEADLINE_MS);
    const fail = (reason: unknown): void => {
      clearTimeout(timer);
      reject(reason instanceof Error ? reason : new Error(`it ended with ${String(reason)}`));
    };
    child.once('error', fail).once('exit', fail);
    // Writing to a lifeline that broke is nobody's concern.
    child.stdin?.on('error', () => undefined);
    createInterface({ input: child.stdout as Socket }).once('line', (line) => {
      clearTimeout(timer);
      const found = listeningSchema.safeParse(parseOrUndefined(line));
      if (found.success) resolve(found.data.url);
      else reject(new Error('its first line is no address'));
    });
  });
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { StartupError } from '@tokone/persistence';
import type { PlannedService } from './service-plan.js';

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
/** A service that ran so long before it ended is started again without a growing pause. */
const STEADY_MS = 60_000;
const READY_DEADLINE_MS = 90_000;
/** kafkajs sets one timer with a negative time, which is harmless. */
const NODE_OPTIONS = ['--disable-warning=TimeoutNegativeWarning'];

/** What the person who watches is told. */
export interface Narrator {
  say(line: string): void;
}

/** Path of the main that `npm run build` has made. */
export function mainOf(app: string): string {
  return fileURLToPath(new URL(`../../${app}/dist/main.js`, import.meta.url));
}

/**
 * One service as a process in a session of its own, so that Ctrl-C reaches only its supervisor, which stops all of
 * them in order. It holds the service's standard input as a lifeline: the service ends when this process does, however
 * it does. A service that ends by itself is started again, with pauses that grow while it keeps ending soon.
 */
export class SupervisedProcess {
  private child: ChildProcess | undefined;
  private timer: NodeJS.Timeout | undefined;
  private stopping = false;
  private pauseMs = FIRST_PAUSE_MS;
  private startedAtMs = 0;

  constructor(
    readonly service: PlannedService,
    private readonly narrator: Narrator,
    /** The process is another one now, or none. */
    private readonly changed: () => void,
  ) {}

  get processId(): number | undefined {
    return this.child?.exitCode === null && this.child.signalCode === null ? this.child.pid : undefined;
  }

  /** Resolves with what the service says behind "is ready:". @throws StartupError when it ends before. */
  async start(): Promise<string> {
    const child = this.spawn();
    this.watch(child);
    return readiness(child, this.service.name);
  }

  /** SIGTERM, and SIGKILL when it has not ended in time. */
  async stop(graceMs: number): Promise<void> {
    this.stopping = true;
    clearTimeout(this.timer);
    const { child } = this;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGTERM');
    const late = setTimeout(() => {
      this.narrator.say(`${this.service.name} did not stop within ${graceMs / 1000} s and is ended now.`);
      child.kill('SIGKILL');
    }, graceMs);
    await ended;
    clearTimeout(late);
  }

  private spawn(): ChildProcess {
    const { app, environment } = this.service;
    this.startedAtMs = performance.now();
    const child = spawn(process.execPath, [...NODE_OPTIONS, mainOf(app)], { detached: true, stdio: ['pipe', 'pipe', 'inherit'], env: { ...environment } });
    // Writing to a lifeline that broke is nobody's concern.
    child.stdin.on('error', () => undefined);
    this.child = child;
    this.changed();
    return child;
  }

  private watch(child: ChildProcess): void {
    child.once('error', () => undefined);
    child.once('close', (code, signal) => {
      this.changed();
      if (this.stopping) return;
      if (performance.now() - this.startedAtMs > STEADY_MS) this.pauseMs = FIRST_PAUSE_MS;
      this.narrator.say(`${this.service.name} ended (${signal ?? `status ${String(code)}`}); it is started again in ${this.pauseMs / 1000} s.`);
      this.timer = setTimeout(() => this.restart(), this.pauseMs);
      this.pauseMs = Math.min(2 * this.pauseMs, LONGEST_PAUSE_MS);
    });
  }

  private restart(): void {
    const child = this.spawn();
    this.watch(child);
    readiness(child, this.service.name).then(
      () => this.narrator.say(`${this.service.name} is ready again.`),
      // It has ended, and that was said.
      () => undefined,
    );
  }
}

function readiness(child: ChildProcess, name: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const { stdout } = child;
    if (stdout === null) return reject(new Error('a service without standard output'));
    const lines = createInterface({ input: stdout });
    const timer = setTimeout(() => fail(`did not become ready within ${READY_DEADLINE_MS / 1000} s`), READY_DEADLINE_MS);
    const fail = (how: string): void => {
      clearTimeout(timer);
      reject(new StartupError(`${name} ${how}. The lines above say why.`));
    };
    lines.on('line', (line) => {
      const [, address] = / is ready: (.*)$/.exec(line) ?? [];
      if (address === undefined) return;
      clearTimeout(timer);
      resolve(address);
    });
    child.once('error', (error) => fail(`could not be started (${error.message})`));
    child.once('close', (code, signal) => fail(`ended before it was ready (${signal ?? `status ${String(code)}`})`));
  });
}

/** Runs a command of ours to its end; its standard output. @throws StartupError when it fails. */
export async function runCommand(app: string, environment: Readonly<Record<string, string>>): Promise<string> {
  const child = spawn(process.execPath, [...NODE_OPTIONS, mainOf(app)], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...environment } });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const code = await new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve));
  if (code !== 0) throw new StartupError(`${app} failed (status ${String(code)}). The lines above say why.`);
  return output;
}

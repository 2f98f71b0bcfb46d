import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Narrator } from './narrator.js';
import { NODE_OPTIONS, mainOf } from './service-command.js';
import type { PlannedService } from './service-plan.js';
import { untilReady } from './service-readiness.js';

/** Milliseconds. */
export interface SupervisionPace {
  /** Before a service is started again; doubled each time that it ends soon. */
  firstPauseMs: number;
  longestPauseMs: number;
  /** A service that ran so long before it ended is started again after the first pause. */
  steadyMs: number;
  /** While a service is not ready: how often it is said what it waits for. */
  waitLineMs: number;
}

export interface SupervisedProcessParts {
  service: PlannedService;
  narrator: Narrator;
  /** The process is another one now, or none. */
  changed: () => void;
  /** Default: what `npm run build` has made of the service's app. */
  main?: string;
  pace?: Partial<SupervisionPace>;
}

const USUAL_PACE: SupervisionPace = { firstPauseMs: 500, longestPauseMs: 30_000, steadyMs: 60_000, waitLineMs: 30_000 };

/**
 * One service as a process in a session of its own, so that Ctrl-C reaches only its supervisor, which stops all of
 * them in order. It holds the service's standard input as a lifeline: the service ends when this process does, however
 * it does. Once it was ready, a service that ends by itself is started again, with pauses that grow while it keeps
 * ending soon. However long one needs to become ready, it is waited for while it lives: what a crash left may be much.
 */
export class SupervisedProcess {
  readonly service: PlannedService;
  private readonly pace: SupervisionPace;
  private child: ChildProcess | undefined;
  private timer: NodeJS.Timeout | undefined;
  private stopping = false;
  private pauseMs: number;
  private startedAtMs = 0;

  constructor(private readonly parts: SupervisedProcessParts) {
    this.service = parts.service;
    this.pace = { ...USUAL_PACE, ...parts.pace };
    this.pauseMs = this.pace.firstPauseMs;
  }

  get processId(): number | undefined {
    return this.child !== undefined && !hasEnded(this.child) ? this.child.pid : undefined;
  }

  /** Resolves with what the service says behind "is ready:". @throws StartupError when it ends before: it is not started again then. */
  async start(): Promise<string> {
    const child = this.spawn();
    const address = await this.untilReady(child);
    this.watch(child);
    return address;
  }

  /** SIGTERM, and SIGKILL when it has not ended in time. */
  async stop(graceMs: number): Promise<void> {
    this.stopping = true;
    clearTimeout(this.timer);
    const { child } = this;
    if (child === undefined || hasEnded(child)) return;
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGTERM');
    const late = setTimeout(() => {
      this.parts.narrator.say(`${this.service.name} did not stop within ${graceMs / 1000} s and is ended now.`);
      child.kill('SIGKILL');
    }, graceMs);
    await ended;
    clearTimeout(late);
  }

  private spawn(): ChildProcess {
    const { environment, app } = this.service;
    this.startedAtMs = performance.now();
    const child = spawn(process.execPath, [...NODE_OPTIONS, this.parts.main ?? mainOf(app)], { detached: true, stdio: ['pipe', 'pipe', 'inherit'], env: { ...environment } });
    // Writing to a lifeline that broke is nobody's concern.
    child.stdin.on('error', () => undefined);
    child.once('error', () => undefined);
    child.once('close', () => this.parts.changed());
    this.child = child;
    this.parts.changed();
    return child;
  }

  private untilReady(child: ChildProcess): Promise<string> {
    const { service, parts, pace } = this;
    return untilReady(child, { service, narrator: parts.narrator, waitLineMs: pace.waitLineMs });
  }

  private watch(child: ChildProcess): void {
    if (hasEnded(child)) this.startLater(child.exitCode, child.signalCode);
    else child.once('close', (code, signal) => this.startLater(code, signal));
  }

  private startLater(code: number | null, signal: NodeJS.Signals | null): void {
    if (this.stopping) return;
    const { firstPauseMs, longestPauseMs, steadyMs } = this.pace;
    if (performance.now() - this.startedAtMs > steadyMs) this.pauseMs = firstPauseMs;
    this.parts.narrator.say(`${this.service.name} ended (${signal ?? `status ${String(code)}`}); it is started again in ${this.pauseMs / 1000} s.`);
    this.timer = setTimeout(() => this.startAgain(), this.pauseMs);
    this.pauseMs = Math.min(2 * this.pauseMs, longestPauseMs);
  }

  private startAgain(): void {
    const child = this.spawn();
    this.watch(child);
    this.untilReady(child).then(
      () => this.parts.narrator.say(`${this.service.name} is ready again.`),
      // It has ended, and that was said.
      () => undefined,
    );
  }
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

import type { Server } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import type { AccountChanged } from '@tokone/events';
import { noGatewayMetrics, noTracing } from '@tokone/telemetry';
import type { GatewayMetrics, Tracing } from '@tokone/telemetry';
import { Authenticator } from './authenticator.js';
import { createFront } from './front.js';
import type { RequestListener } from './front.js';
import { DEFAULT_LIMITS } from './gateway-context.js';
import type { GatewayLimits, GatewayPorts } from './gateway-context.js';
import { GroupCache } from './group-cache.js';
import { InferenceIntake } from './inference-intake.js';
import { KeyCache } from './key-cache.js';
import { KeyDigest } from './key-digest.js';
import { adoptOrphans, recoverOrphans } from './recovery.js';
import { RefusalRecord } from './refusal-record.js';
import { BodyBudget } from './request-body.js';
import { RunningExchanges } from './running-exchanges.js';

export interface GatewayOptions {
  pepper: Buffer;
  limits?: Partial<GatewayLimits>;
  /** Default: nobody counts. */
  metrics?: GatewayMetrics;
  /** Default: nothing is recorded. */
  tracing?: Tracing;
}

/**
 * One gateway: owns its caches, its running exchanges and their order of life. `adoptOrphans` and `recover` first, then `open`; `leave`
 * sends clients elsewhere; `drain` stops serving and waits; `close` gives everything back. The spool and the ports stay their owner's.
 */
export class Gateway {
  readonly running = new RunningExchanges();
  readonly groups: GroupCache;
  readonly authenticator: Authenticator;
  /** While it starts: what its owner waits for, as a part of a sentence. */
  startWaitsFor: string | undefined;
  private readonly metrics: GatewayMetrics;
  private readonly keys: KeyCache;
  private readonly intake: InferenceIntake;
  private readonly refusals: RefusalRecord;
  private state: 'starting' | 'open' | 'leaving' | 'draining' = 'starting';

  constructor(
    readonly ports: GatewayPorts,
    options: GatewayOptions,
  ) {
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.metrics = options.metrics ?? noGatewayMetrics;
    this.groups = new GroupCache(ports.accounts, ports.logger);
    this.keys = new KeyCache({ directory: ports.accounts, now: ports.monotonicNow });
    this.authenticator = new Authenticator(new KeyDigest(options.pepper), this.keys, this.metrics);
    this.refusals = new RefusalRecord(ports);
    this.intake = new InferenceIntake({
      ports,
      limits,
      running: this.running,
      authenticator: this.authenticator,
      bodies: new BodyBudget(limits),
      groups: this.groups,
      refusals: this.refusals,
      metrics: this.metrics,
      tracing: options.tracing ?? noTracing,
      ready: () => this.state === 'open' || this.state === 'leaving',
    });
  }

  get ready(): boolean {
    return this.state === 'open';
  }

  /** Part → a sentence that says why no request is taken. Empty when nothing is in the way. */
  problems(): Record<string, string> {
    const admission = this.ports.admission.problem();
    return {
      ...(this.state === 'starting' && { start: this.startWaitsFor === undefined ? 'The gateway starts.' : `The gateway waits for ${this.startWaitsFor}.` }),
      ...((this.state === 'leaving' || this.state === 'draining') && { stop: 'The gateway stops.' }),
      ...(!this.ports.spool.accepting && { spool: 'Usage cannot be recorded: the spool has reached its limit, or its disk takes no more.' }),
      ...(admission !== undefined && { admission }),
    };
  }

  /** The public HTTP server, not listening yet. */
  createServer(fallThrough: RequestListener): Server {
    const parts = { ids: this.ports.ids, metrics: this.metrics, now: this.ports.monotonicNow, keepsConnections: () => this.state !== 'leaving' && this.state !== 'draining' };
    return createFront(this.intake, parts, fallThrough);
  }

  /** Lets the metrics be read from now on. `holds`: what admission holds. */
  measure(holds: () => { held: number; settled: number }): void {
    const { spool, now } = this.ports;
    this.metrics.watch({
      inflight: () => this.running.inflight,
      holds,
      spool: () => {
        const { records, oldestAtMs } = spool.unacknowledged;
        const oldestSeconds = oldestAtMs === undefined ? 0 : Math.max(0, now() - oldestAtMs) / 1000;
        return { accepting: spool.accepting, bytes: spool.totalBytes, limitBytes: spool.highWaterBytes, unacknowledged: records, oldestSeconds };
      },
    });
  }

  /** Makes known to admission what a crash left open in the spool. Before `recover`. */
  adoptOrphans(): void {
    adoptOrphans(this.ports);
  }

  /** Closes what a crash left open in the spool. Before `open`. */
  recover(): Promise<number> {
    return recoverOrphans({ ...this.ports, metrics: this.metrics });
  }

  /** Serves from now on. */
  async open(): Promise<void> {
    await this.groups.start();
    this.state = 'open';
  }

  /** Makes the caches fresh at once; without it they are so within 5 s. Upstreams concern adapters alone. */
  accountChanged({ kind, keyDigest, accountId, groupId }: AccountChanged): void {
    if (kind === 'key' && keyDigest !== undefined) this.keys.forget(Buffer.from(keyDigest, 'base64url').toString('latin1'));
    if (kind === 'account' || kind === 'multiplier') this.keys.forgetWhere((record) => record.accountId === accountId);
    if (kind !== 'group') return;
    this.keys.forgetWhere((record) => record.groupId === groupId);
    void this.groups.refreshNow();
  }

  /** Changes may have been missed: everything is asked for again before it is used. */
  missedChanges(): void {
    this.keys.doubtAll();
    void this.groups.refreshNow();
  }

  /**
   * It is about to stop: readiness says so, while new requests are still served for `forMs`, each as the last one of its
   * connection. A balancer needs a moment to notice, and a client learns in time to come by another connection.
   */
  async leave(forMs: number): Promise<void> {
    this.state = 'leaving';
    if (forMs > 0) await pause(forMs);
  }

  /** New requests are refused; running ones end by themselves within `graceMs`, or with an error. */
  async drain(graceMs: number): Promise<void> {
    this.state = 'draining';
    await this.running.drain(graceMs);
  }

  close(): void {
    this.groups.stop();
    this.refusals.close();
  }
}

import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '@tokone/telemetry';
import { isReplaced } from './gateways.js';
import type { GatewayRegistry, LiveGateway } from './gateways.js';

export interface GatewayMembershipOptions {
  registry: GatewayRegistry;
  gateway: LiveGateway;
  logger: Logger;
  /** A later run of this gateway has joined, which holds the spool. This one must stop at once. */
  onReplaced: (reason: Error) => void;
  /** Pause between heartbeats; default 1 s. */
  intervalMs?: number;
}

export interface JoinLimits {
  /** For the account service to answer at all. */
  deadlineMs: number;
  /** Ends the wait. */
  stop?: AbortSignal;
}

const INTERVAL_MS = 1_000;
const RETRY_MS = 250;

/** This gateway's place among the gateways: asked for at the start, kept by heartbeats, given back by `leave`. */
export class GatewayMembership {
  private timer: NodeJS.Timeout | undefined;
  private beating: Promise<void> | undefined;
  private left = false;
  private failures = 0;

  constructor(private readonly options: GatewayMembershipOptions) {}

  /** @throws the last failure when the account service did not answer, or the reason of `stop`. */
  async join({ deadlineMs, stop }: JoinLimits): Promise<void> {
    const deadline = AbortSignal.timeout(deadlineMs);
    for (;;) {
      try {
        await this.options.registry.join(this.options.gateway);
        break;
      } catch (error) {
        if (deadline.aborted) throw error;
      }
      await delay(RETRY_MS, undefined, stop && { signal: stop }).catch(() => undefined);
      stop?.throwIfAborted();
    }
    if (stop?.aborted) await this.leave();
    stop?.throwIfAborted();
    this.schedule();
  }

  /** Ends the heartbeats and tells the registry; a registry that cannot be told forgets this run by itself. */
  async leave(): Promise<void> {
    this.left = true;
    clearTimeout(this.timer);
    await this.beating;
    try {
      await this.options.registry.leave(this.options.gateway);
    } catch (error) {
      this.options.logger.warn({ cause: String(error) }, 'the account service was not told that this gateway leaves; accounts that Redis has lost wait for it for a few seconds');
    }
  }

  private schedule(): void {
    if (this.left) return;
    this.timer = setTimeout(() => {
      this.beating = this.beat().finally(() => this.schedule());
    }, this.options.intervalMs ?? INTERVAL_MS);
  }

  private async beat(): Promise<void> {
    try {
      await this.options.registry.heartbeat(this.options.gateway);
      this.failures = 0;
    } catch (error) {
      if (isReplaced(error)) {
        this.left = true;
        this.options.onReplaced(error);
      } else if (this.failures++ === 0) {
        this.options.logger.warn({ cause: String(error) }, 'the account service did not take a heartbeat; it is tried again');
      }
    }
  }
}

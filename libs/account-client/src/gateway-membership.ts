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

/** This gateway's place among the gateways: asked for at the start, kept by heartbeats, given back by `leave`, or kept for its next run by `fallSilent`. */
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
    await this.fallSilent();
    try {
      await this.options.registry.leave(this.options.gateway);
    } catch (error) {
      this.options.logger.warn({ cause: String(error) }, 'the account service was not told that this gateway leaves; accounts that Redis has lost wait for it for a few seconds');
    }
  }

  /**
   * Ends the heartbeats and keeps the place, of a gateway that stops with records which only its own next run can hand
   * on. For 10 s accounts that Redis has lost wait for it, up to 3 s each time, and are then opened without it, with
   * the alarm `gateway_not_heard`; after that they are opened without it and without an alarm. The comparison of
   * records (R5) names it and is not done, until the next run joins, which takes the place over, or for a day.
   */
  async fallSilent(): Promise<void> {
    this.left = true;
    clearTimeout(this.timer);
    await this.beating;
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

import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '@tokone/telemetry';
import type { AdmissionFence, GatewayIdentity } from './gateways.js';

export interface FencePassage {
  fence: AdmissionFence;
  gateway: GatewayIdentity;
  logger: Logger;
  /** For all attempts together. */
  deadlineMs: number;
  /** Each question waits this long; default 5 s. */
  attemptMs?: number;
  /** Default 250 ms. */
  retryMs?: number;
  /** Told what is waited for, as a part of a sentence, after each question. */
  onWait?: (waitingFor: string) => void;
  /** Ends the wait. */
  stop?: AbortSignal;
}

const ATTEMPT_MS = 5_000;
const RETRY_MS = 250;

/**
 * Asks the fence again and again until the gateway has passed. Only then may it read a balance.
 * @throws when that takes longer than the deadline, with what was waited for, or the reason of `stop`.
 */
export async function passFence({ fence, gateway, logger, deadlineMs, attemptMs = ATTEMPT_MS, retryMs = RETRY_MS, onWait, stop }: FencePassage): Promise<void> {
  const deadline = AbortSignal.timeout(deadlineMs);
  let obstacle = 'the account service';
  let cause: unknown;
  while (!deadline.aborted) {
    try {
      const answer = await fence.pass(gateway, attemptMs);
      if (answer.passed) return;
      cause = undefined;
      obstacle = answer.waitingFor;
    } catch (error) {
      cause = error;
      obstacle = 'the account service to answer';
    }
    onWait?.(obstacle);
    logger.warn({ waitingFor: obstacle, ...(cause !== undefined && { cause: String(cause) }) }, 'the gateway may not admit anyone yet');
    await delay(retryMs, undefined, stop && { signal: stop }).catch(() => undefined);
    stop?.throwIfAborted();
  }
  throw new Error(`No balance may be read yet: after ${deadlineMs} ms the gateway still waits for ${obstacle}.`, { cause });
}

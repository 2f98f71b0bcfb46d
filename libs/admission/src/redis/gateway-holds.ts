import type { RedisAdmission } from './redis-admission.js';
import { writeAnnouncement } from './opening-wire.js';
import type { NotReady } from './opening-wire.js';

export interface GatewayHoldsParts {
  admission: Pick<RedisAdmission, 'announce' | 'running'>;
  gatewayId: string;
  /** Resolves when the log has everything that was closed before the call; rejects after the deadline. */
  shipped(deadlineMs: number): Promise<void>;
}

/** Below the deadline of whoever asks. */
const SHIP_MS = 1_000;

/**
 * What this gateway tells the account service of its requests. What it closed is not told: it waits until the log has
 * it, so that who asks finds it there.
 */
export class GatewayHolds {
  private waitingFor: string | undefined = 'the gateway, to find what a crash left open';

  constructor(private readonly parts: GatewayHoldsParts) {}

  /** What a former run left open is known as held, so that nothing is missing in an answer. */
  begin(): void {
    this.waitingFor = undefined;
  }

  async announce(accountIds: readonly string[], token: string): Promise<object> {
    const { admission, gatewayId } = this.parts;
    return this.whenShipped(async () => writeAnnouncement(gatewayId, await admission.announce(accountIds, token)));
  }

  async running(requests: readonly { accountId: string; requestId: string }[]): Promise<object> {
    return this.whenShipped(async () => ({ ready: true, running: await this.parts.admission.running(requests) }));
  }

  /** First the look, then the wait: a request that closes in between is in the answer. */
  private async whenShipped(look: () => Promise<object>): Promise<object> {
    if (this.waitingFor !== undefined) return notReady(this.waitingFor);
    const found = await look();
    try {
      await this.parts.shipped(SHIP_MS);
    } catch {
      return notReady('Kafka, to take what the gateway has closed');
    }
    return found;
  }
}

function notReady(waitingFor: string): NotReady {
  return { ready: false, waitingFor };
}

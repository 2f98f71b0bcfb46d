import type { InternalClient } from '@tokone/http';
import { readFenceAnswer } from './gateway-wire.js';
import type { AdmissionFence, FenceAnswer, GatewayIdentity, GatewayRegistry, LiveGateway } from './gateways.js';

const DEADLINE_MS = 2_000;
/** What an answer of the fence may need beyond the time that it waits. */
const FENCE_GRACE_MS = 1_000;

/** The registry and the fence of the account service. Throws `InternalCallError`; a refused heartbeat has its code. */
export class HttpGatewayRegistry implements GatewayRegistry, AdmissionFence {
  constructor(private readonly client: InternalClient) {}

  async heartbeat({ gatewayId, instanceId, url }: LiveGateway): Promise<void> {
    await this.post('/internal/account/gateways/heartbeat', { gatewayId, instanceId, url });
  }

  async leave({ gatewayId, instanceId }: GatewayIdentity): Promise<void> {
    await this.post('/internal/account/gateways/leave', { gatewayId, instanceId });
  }

  pass({ gatewayId, instanceId }: GatewayIdentity, deadlineMs: number): Promise<FenceAnswer> {
    const body = { gatewayId, instanceId, waitMs: deadlineMs };
    return this.client.call({ method: 'POST', path: '/internal/account/fence', body, deadlineMs: deadlineMs + FENCE_GRACE_MS, read: readFenceAnswer });
  }

  private post(path: string, body: object): Promise<unknown> {
    return this.client.call({ method: 'POST', path, body, deadlineMs: DEADLINE_MS, read: (json) => json });
  }
}

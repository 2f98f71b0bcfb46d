import type { InternalClient } from '@tokone/http';
import type { GatewayIdentity, GatewayRegistry, LiveGateway } from './gateways.js';

const DEADLINE_MS = 2_000;

/** The registry of the account service. Throws `InternalCallError`; a refused heartbeat has its code. */
export class HttpGatewayRegistry implements GatewayRegistry {
  constructor(private readonly client: InternalClient) {}

  join(gateway: LiveGateway): Promise<void> {
    return this.tell('join', gateway);
  }

  heartbeat(gateway: LiveGateway): Promise<void> {
    return this.tell('heartbeat', gateway);
  }

  async leave({ gatewayId, instanceId }: GatewayIdentity): Promise<void> {
    await this.post('/internal/account/gateways/leave', { gatewayId, instanceId });
  }

  private async tell(what: 'join' | 'heartbeat', { gatewayId, instanceId, url }: LiveGateway): Promise<void> {
    await this.post(`/internal/account/gateways/${what}`, { gatewayId, instanceId, url });
  }

  private post(path: string, body: object): Promise<unknown> {
    return this.client.call({ method: 'POST', path, body, deadlineMs: DEADLINE_MS, read: (json) => json });
  }
}

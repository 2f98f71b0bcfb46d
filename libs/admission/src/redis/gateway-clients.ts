import { InternalClient } from '@tokone/http';
import { readAnnouncement, readRunningAnswer } from './opening-wire.js';
import type { Announcement, RunningAnswer } from './opening-wire.js';

export interface GatewayClientsOptions {
  /** Of the deployment's services. */
  secret: string;
  /** Milliseconds, monotonic. */
  now: () => number;
}

interface KeptClient {
  client: InternalClient;
  usedAtMs: number;
}

const CONNECTIONS = 4;
const DEADLINE_MS = 1_500;
const UNUSED_MS = 60_000;

/** Connections to the internal listeners of gateways, by address. Those of gateways that are gone are let go. Owner: close(). */
export class GatewayClients {
  private readonly clients = new Map<string, KeptClient>();

  constructor(private readonly options: GatewayClientsOptions) {}

  /** @throws `InternalCallError` when the gateway does not answer in time; default 1.5 s */
  announce(url: string, { accountIds, token, deadlineMs = DEADLINE_MS }: { accountIds: readonly string[]; token: string; deadlineMs?: number }): Promise<Announcement> {
    return this.clientOf(url).call({ method: 'POST', path: '/internal/gateway/admission/announce', body: { accountIds, token }, deadlineMs, read: readAnnouncement });
  }

  /** @throws as above, after 1.5 s */
  running(url: string, requests: readonly { accountId: string; requestId: string }[]): Promise<RunningAnswer> {
    return this.clientOf(url).call({ method: 'POST', path: '/internal/gateway/admission/running', body: { requests }, deadlineMs: DEADLINE_MS, read: readRunningAnswer });
  }

  async close(): Promise<void> {
    const kept = [...this.clients.values()];
    this.clients.clear();
    await Promise.all(kept.map(({ client }) => client.close()));
  }

  /** Its owner stays this; not to be kept longer than a call. */
  clientOf(url: string): InternalClient {
    const { secret, now } = this.options;
    const nowMs = now();
    for (const [address, { client, usedAtMs }] of this.clients) {
      if (nowMs - usedAtMs < UNUSED_MS || address === url) continue;
      this.clients.delete(address);
      void client.close();
    }
    let kept = this.clients.get(url);
    if (kept === undefined) this.clients.set(url, (kept = { client: new InternalClient({ baseUrls: [url], secret, connectionsPerReplica: CONNECTIONS, now }), usedAtMs: nowMs }));
    kept.usedAtMs = nowMs;
    return kept.client;
  }
}

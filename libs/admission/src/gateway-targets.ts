import { InternalClient } from '@tokone/http';

export interface GatewayTargetsOptions {
  /** Internal listeners of the gateways that are alive: `http://host:port` each. Asked at most once a second. */
  list(): Promise<readonly { url: string }[]>;
  /** Of the deployment's services. */
  secret: string;
  /** Milliseconds, monotonic. */
  now: () => number;
}

/** One gateway, and whether it is worth asking now. */
export interface GatewayTarget {
  url: string;
  client: InternalClient;
  /** Until then it is taken as away, since it did not answer a moment ago. */
  restUntilMs: number;
}

const LIST_AGE_MS = 1_000;

/** Connections to the gateways that are alive now. Owner: close(). */
export class GatewayTargets {
  private readonly targets = new Map<string, GatewayTarget>();
  private listedAtMs = Number.NEGATIVE_INFINITY;
  private listing: Promise<void> | undefined;
  private closed = false;

  constructor(private readonly options: GatewayTargetsOptions) {}

  /** Rejects when the list cannot be had: nobody is then known to be gone. */
  async current(): Promise<readonly GatewayTarget[]> {
    if (this.options.now() - this.listedAtMs >= LIST_AGE_MS) {
      this.listing ??= this.refresh().finally(() => (this.listing = undefined));
      await this.listing;
    }
    return [...this.targets.values()];
  }

  async close(): Promise<void> {
    this.closed = true;
    const targets = [...this.targets.values()];
    this.targets.clear();
    await Promise.all(targets.map(({ client }) => client.close()));
  }

  private async refresh(): Promise<void> {
    const askedAtMs = this.options.now();
    const urls = new Set((await this.options.list()).map(({ url }) => url));
    if (this.closed) return;
    this.listedAtMs = askedAtMs;
    for (const url of urls) {
      if (this.targets.has(url)) continue;
      this.targets.set(url, { url, client: new InternalClient({ baseUrls: [url], secret: this.options.secret, connectionsPerReplica: 4, now: this.options.now }), restUntilMs: 0 });
    }
    for (const [url, target] of this.targets) {
      if (urls.has(url)) continue;
      this.targets.delete(url);
      void target.client.close();
    }
  }
}

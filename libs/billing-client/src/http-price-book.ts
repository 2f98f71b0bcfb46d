import type { InternalClient } from '@tokone/http';
import type { PriceSnapshot } from '@tokone/pricing';
import type { Logger } from '@tokone/telemetry';
import type { PriceBook } from './price-book.js';
import { readCurrentPrices, readOnePrice } from './price-wire.js';
import type { CurrentPrices } from './price-wire.js';

export interface HttpPriceBookOptions {
  /** To the replicas of billing. Not closed here. */
  client: InternalClient;
  log: Pick<Logger, 'info' | 'warn'>;
  /** Between two comparisons of the version; default 2 s. */
  refreshMs?: number;
}

/** Billing itself sees a new version within 2 s; the port promises 5 s for both together. */
const REFRESH_MS = 2_000;
const DEADLINE_MS = 2_000;
/** Snapshots of versions that are not current: few are asked for, by requests that began under them. */
const MAX_OLD_SNAPSHOTS = 10_000;

/**
 * The price book of the billing service, held in memory. A version that is known costs a tiny answer; a replica that
 * has not yet seen the version that we have does not take us back. While billing is away the last version stays
 * current. Owner: start(), stop().
 */
export class HttpPriceBook implements PriceBook {
  private current = new Map<string, PriceSnapshot>();
  private currentById = new Map<string, PriceSnapshot>();
  private sorted: readonly PriceSnapshot[] = [];
  private readonly old = new Map<string, PriceSnapshot>();
  private version: number | undefined;
  private timer: NodeJS.Timeout | undefined;
  private refreshing: Promise<void> | undefined;
  private stopped = false;

  constructor(private readonly options: HttpPriceBookOptions) {}

  /** Loads the current version and follows it. Rejects when it cannot be loaded. */
  async start(): Promise<void> {
    this.stopped = false;
    await this.refresh();
    this.schedule();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.refreshing?.catch(() => undefined);
  }

  find(model: string): PriceSnapshot | undefined {
    return this.current.get(model);
  }

  models(): readonly PriceSnapshot[] {
    return this.sorted;
  }

  async byId(priceId: string): Promise<PriceSnapshot | undefined> {
    const known = this.currentById.get(priceId) ?? this.old.get(priceId);
    if (known !== undefined) return known;
    const path = `/internal/billing/prices/by-id?id=${encodeURIComponent(priceId)}`;
    const found = await this.options.client.call({ method: 'GET', path, deadlineMs: DEADLINE_MS, read: readOnePrice });
    if (found !== undefined) this.keep([found]);
    return found;
  }

  /** Compares the version now. */
  refresh(): Promise<void> {
    this.refreshing ??= this.load().finally(() => (this.refreshing = undefined));
    return this.refreshing;
  }

  private async load(): Promise<void> {
    const path = `/internal/billing/prices${this.version === undefined ? '' : `?version=${this.version}`}`;
    const { version, prices } = await this.options.client.call({ method: 'GET', path, deadlineMs: DEADLINE_MS, read: readCurrentPrices });
    if (prices === null || (this.version !== undefined && version <= this.version)) return;
    this.take({ version, prices });
    this.options.log.info({ version, models: prices.length }, 'price book loaded');
  }

  private take({ version, prices }: { version: number; prices: NonNullable<CurrentPrices['prices']> }): void {
    this.keep(this.sorted);
    this.sorted = prices;
    this.current = new Map(prices.map((price) => [price.model, price]));
    this.currentById = new Map(prices.map((price) => [price.id, price]));
    this.version = version;
  }

  private keep(prices: readonly PriceSnapshot[]): void {
    if (this.old.size + prices.length > MAX_OLD_SNAPSHOTS) this.old.clear();
    for (const price of prices) this.old.set(price.id, price);
  }

  private schedule(): void {
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      this.refresh()
        .catch((error: unknown) => this.options.log.warn({ reason: String(error) }, 'the price book could not be compared; the last version stays current'))
        .finally(() => this.schedule());
    }, this.options.refreshMs ?? REFRESH_MS).unref();
  }
}

import type { PriceBook } from '@tokone/billing-client';
import type { Pool } from '@tokone/persistence';
import type { PriceSnapshot } from '@tokone/pricing';
import type { Platform } from '@tokone/protocol';
import type { BillingLog } from './billing-log.js';
import { readPriceSnapshot } from './price-row.js';
import type { ModelPrices } from './price-row.js';

/** How often the version is compared. The port promises that a new one is seen within 5 s. */
const REFRESH_MS = 2_000;
/** Old snapshots that are kept for rating; a cache, the table has them all. */
const MAX_OLD_SNAPSHOTS = 10_000;

interface PriceRow {
  id: string;
  model: string;
  platform: string;
  max_input_tokens: bigint;
  max_output_tokens: bigint;
  prices: Pick<ModelPrices, 'tiers' | 'unitUsd'>;
}

const SELECT_ROWS = 'SELECT id, model, platform, max_input_tokens, max_output_tokens, prices FROM billing.price_row';

/**
 * The price book out of billing's own tables. `find` and `models` answer from memory with the current version;
 * `snapshots` finds any version that ever was. Owner: start(), stop(). When the database is away the last version
 * stays current.
 */
export class LocalPriceBook implements PriceBook {
  private current = new Map<string, PriceSnapshot>();
  private sorted: readonly PriceSnapshot[] = [];
  private readonly byIdCache = new Map<string, PriceSnapshot>();
  private loadedVersion = 0;
  private timer: NodeJS.Timeout | undefined;
  private refreshing: Promise<void> | undefined;
  private stopped = false;

  constructor(
    private readonly pool: Pool,
    private readonly log: BillingLog,
    private readonly refreshMs = REFRESH_MS,
  ) {}

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

  /** Of what `find` and `models` answer with; 0 when there is none yet. */
  get version(): number {
    return this.loadedVersion;
  }

  find(model: string): PriceSnapshot | undefined {
    return this.current.get(model);
  }

  models(): readonly PriceSnapshot[] {
    return this.sorted;
  }

  /** The snapshot of this id, of whatever version; undefined when there never was one. */
  async byId(priceId: string): Promise<PriceSnapshot | undefined> {
    return (await this.snapshots([priceId])).get(priceId);
  }

  /** Those of these ids that exist. Asks the table, once, only for ids that are not in memory. */
  async snapshots(priceIds: Iterable<string>): Promise<Map<string, PriceSnapshot>> {
    const found = new Map<string, PriceSnapshot>();
    const missing: string[] = [];
    for (const id of new Set(priceIds)) {
      const known = this.byIdCache.get(id);
      if (known !== undefined) found.set(id, known);
      else missing.push(id);
    }
    if (missing.length === 0) return found;
    const { rows } = await this.pool.query<PriceRow>(`${SELECT_ROWS} WHERE id = ANY($1::text[])`, [missing]);
    for (const row of rows) found.set(row.id, this.remember(row));
    return found;
  }

  /** Looks for a new version now. */
  async refresh(): Promise<void> {
    this.refreshing ??= this.load().finally(() => (this.refreshing = undefined));
    return this.refreshing;
  }

  private async load(): Promise<void> {
    const { rows: versions } = await this.pool.query<{ version: number }>(
      'SELECT coalesce(max(version), 0)::int AS version FROM billing.price_book',
    );
    const version = versions[0]?.version ?? 0;
    if (version === this.loadedVersion) return;
    const { rows } = await this.pool.query<PriceRow>(`${SELECT_ROWS} WHERE version = $1 ORDER BY model`, [version]);
    this.sorted = rows.map((row) => this.remember(row));
    this.current = new Map(this.sorted.map((snapshot) => [snapshot.model, snapshot]));
    this.loadedVersion = version;
    this.log.info({ version, models: this.sorted.length }, 'price book loaded');
  }

  private schedule(): void {
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      this.refresh()
        .catch((error: unknown) => this.log.warn({ reason: String(error) }, 'the price book could not be compared; the last version stays current'))
        .finally(() => this.schedule());
    }, this.refreshMs).unref();
  }

  private remember(row: PriceRow): PriceSnapshot {
    const known = this.byIdCache.get(row.id);
    if (known !== undefined) return known;
    if (this.byIdCache.size >= MAX_OLD_SNAPSHOTS) this.byIdCache.clear();
    const snapshot = readPriceSnapshot(row.id, row.model, {
      platform: row.platform as Platform,
      maxInputTokens: Number(row.max_input_tokens),
      maxOutputTokens: Number(row.max_output_tokens),
      ...row.prices,
    });
    this.byIdCache.set(row.id, snapshot);
    return snapshot;
  }
}

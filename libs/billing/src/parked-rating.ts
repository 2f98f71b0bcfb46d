import { readUsageRecorded } from '@tokone/events';
import type { UsageRecorded } from '@tokone/events';
import { inTransaction } from '@tokone/persistence';
import type { Pool, PoolClient } from '@tokone/persistence';
import type { PriceSnapshot } from '@tokone/pricing';
import { noBillingMetrics } from '@tokone/telemetry';
import type { BillingMetrics } from '@tokone/telemetry';
import { plainArray } from './array-literal.js';
import type { BillingLog } from './billing-log.js';
import { blamesRecord } from './database-refusal.js';
import { judgeTimes, reportClockFaults } from './event-times.js';
import type { OutboxSignal } from './outbox-signal.js';
import type { LocalPriceBook } from './price-book.js';
import { REASONS_OF_PRICE, rateEvent } from './rate-event.js';
import { tracesOf } from './rating-spans.js';
import type { UsageRow } from './usage-row.js';
import { contentOf, writeConflicts, writeRerated } from './usage-writer.js';

export interface ParkedRatingParts {
  pool: Pool;
  prices: LocalPriceBook;
  outbox: OutboxSignal;
  log: BillingLog;
  /** Default: nobody counts. */
  metrics?: BillingMetrics;
  /** Pause between two looks; default 60 s. */
  intervalMs?: number;
}

const INTERVAL_MS = 60_000;
const PAGE_ROWS = 200;
/** `parked_at` is the begin of a transaction: it may have committed this much after we looked. */
const LATE_COMMIT_MS = 60_000;
const FIRST_PLACE: Place = { id: '00000000-0000-0000-0000-000000000000', content_hash: '' };

interface Place {
  id: string;
  /** Hex. */
  content_hash: string;
}

interface ParkedRow extends Place {
  raw: Buffer;
  log_partition: string;
  log_offset: bigint;
  parked_at: Date;
}

/** A parked event that has a price now. */
interface PricedRow extends UsageRow {
  partition: string;
}

/** Versions of the price book in which a model stands, oldest first. */
type VersionsByModel = ReadonlyMap<string, readonly { version: number; priceId: string }[]>;

/**
 * Rates events that were parked for want of a price, once there is one: their tenants' settled holds would otherwise
 * stay for ever. Taken is the price that the event names, or else the first later one of the model that has a price
 * for all that was used; the usage row names the one that was taken. The charge is at most the grant, as always.
 *
 * Exactly once: the usage row, its outbox row and the end of the parked row commit together, and the id is the key of
 * the usage row. An event that a person has taken out of `parked` in the meantime is left alone. Any number of
 * processes may do this at once. Owner: start(), stop().
 */
export class ParkedRating {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<unknown> | undefined;
  private stopped = false;
  /** What has been looked at with which price book: without a new version only younger rows can have got a price. */
  private seen: { version: number; before: Date } | undefined;

  private readonly metrics: BillingMetrics;

  constructor(private readonly parts: ParkedRatingParts) {
    this.metrics = parts.metrics ?? noBillingMetrics;
  }

  /** Resolves after the first look, whether it succeeded or not. */
  async start(): Promise<void> {
    this.stopped = false;
    await this.look();
  }

  /** Waits for a running look. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.running;
  }

  /** Looks at everything that may have got a price. @returns how many events were charged. */
  async rateAll(): Promise<number> {
    const { pool } = this.parts;
    const { rows: books } = await pool.query<{ version: number; before: Date }>(
      `SELECT coalesce(max(version), 0)::int AS version, now() - interval '${LATE_COMMIT_MS} milliseconds' AS before FROM billing.price_book`,
    );
    const since = this.seen?.version === books[0]?.version ? this.seen?.before : undefined;
    let charged = 0;
    for (let after = FIRST_PLACE; !this.stopped; ) {
      const page = await readPage(pool, after, since ?? new Date(0));
      charged += await this.writePage(await this.ratePage(page));
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE_ROWS) {
        this.seen = books[0];
        break;
      }
      after = last;
    }
    if (charged > 0) this.parts.log.info({ charged }, 'parked events have a price now and were charged');
    return charged;
  }

  private async look(): Promise<void> {
    const { log, intervalMs = INTERVAL_MS } = this.parts;
    this.running = this.rateAll().catch((error: unknown) => log.warn({ reason: String(error) }, 'parked events could not be looked at; it is tried again'));
    await this.running;
    if (!this.stopped) this.timer = setTimeout(() => void this.look(), intervalMs).unref();
  }

  private async ratePage(page: readonly ParkedRow[]): Promise<PricedRow[]> {
    const read = page.map((row) => ({ row, event: this.readEvent(row) }));
    const models = new Set(read.flatMap(({ event }) => (event ? [event.model] : [])));
    const versions = await readVersions(this.parts.pool, [...models]);
    const wanted = read.flatMap(({ row, event }) => (event ? [{ row, event, priceIds: priceIdsFor(event, versions) }] : []));
    const prices = await this.parts.prices.snapshots(wanted.flatMap(({ priceIds }) => priceIds));
    return wanted.flatMap(({ row, event, priceIds }) => rateWithFirst(row, event, priceIds.flatMap((id) => prices.get(id) ?? [])) ?? []);
  }

  /** A row that the database refuses stays parked and does not hold up the others. */
  private async writePage(rows: readonly PricedRow[]): Promise<number> {
    const [only] = rows;
    if (only === undefined) return 0;
    try {
      return await this.commit(rows);
    } catch (error) {
      if (!blamesRecord(error)) throw error;
      if (rows.length === 1) {
        this.parts.log.error({ requestId: only.event.id, reason: error.message }, 'a parked event has a price now, but cannot be stored');
        this.metrics.alarm('parked_refused');
        return 0;
      }
      let charged = 0;
      for (const row of rows) charged += await this.writePage([row]);
      return charged;
    }
  }

  private async commit(rows: readonly PricedRow[]): Promise<number> {
    const { pool, outbox, log } = this.parts;
    let left: PricedRow[] = [];
    const result = await inTransaction(pool, async (client) => {
      left = await lockParked(client, rows);
      const written = await writeRerated(client, left, tracesOf(left));
      // Not new: delivered again and rated since, or the same id with another content.
      if (written.inserted < left.length) for (const row of left) written.conflicts.push(...(await writeConflicts(client, row.partition, [contentOf(row)])));
      await client.query(`DELETE FROM billing.parked p USING ${GIVEN_PLACES}`, placesOf(left));
      return written;
    });
    if (result.published) outbox.notify();
    if (result.inserted > 0) reportClockFaults({ log, metrics: this.metrics }, left);
    for (const { content, ratedContentHash } of result.conflicts) {
      log.error({ requestId: content.id, ratedContentHash }, 'a parked event has the id of a rated one and another content');
      this.metrics.alarm('usage_conflict');
    }
    this.metrics.events('posted', result.inserted);
    return result.inserted;
  }

  private readEvent({ id, raw }: ParkedRow): UsageRecorded | undefined {
    try {
      return readUsageRecorded(raw.toString());
    } catch (error) {
      this.parts.log.error({ requestId: id, reason: String(error) }, 'a parked event can no longer be read');
      this.metrics.alarm('parked_unreadable');
      return undefined;
    }
  }
}

async function readPage(pool: Pool, after: Place, since: Date): Promise<ParkedRow[]> {
  const { rows } = await pool.query<ParkedRow>(
    `SELECT id, encode(content_hash, 'hex') AS content_hash, raw, log_partition, log_offset, parked_at FROM billing.parked
     WHERE reason = ANY($1::text[]) AND (id, content_hash) > ($2::uuid, decode($3, 'hex')) AND parked_at >= $4
     ORDER BY billing.parked.id, billing.parked.content_hash LIMIT ${PAGE_ROWS}`,
    [REASONS_OF_PRICE, after.id, after.content_hash, since],
  );
  return rows;
}

async function readVersions(pool: Pool, models: readonly string[]): Promise<VersionsByModel> {
  const versions = new Map<string, { version: number; priceId: string }[]>();
  if (models.length === 0) return versions;
  const { rows } = await pool.query<{ model: string; version: number; id: string }>(
    'SELECT model, version, id FROM billing.price_row WHERE model = ANY($1::text[]) ORDER BY version',
    [models],
  );
  for (const { model, version, id: priceId } of rows) {
    const known = versions.get(model);
    if (known) known.push({ version, priceId });
    else versions.set(model, [{ version, priceId }]);
  }
  return versions;
}

/** An event that names no version of the price book was promised no price: a person must decide. */
function priceIdsFor({ priceId, model }: UsageRecorded, versions: VersionsByModel): string[] {
  if (priceId === null) return [];
  const named = Number(/^\d+(?=\/)/.exec(priceId)?.[0]);
  const later = (versions.get(model) ?? []).filter(({ version }) => version > named);
  return [priceId, ...later.map((row) => row.priceId)];
}

function rateWithFirst(row: ParkedRow, event: UsageRecorded, prices: readonly PriceSnapshot[]): PricedRow | undefined {
  for (const price of prices) {
    const amounts = rateEvent(event, price);
    if (amounts.kind === 'parked') continue;
    const place = { raw: row.raw.toString(), partition: row.log_partition, offset: row.log_offset };
    // Seen when it was parked: waiting for a price has not made it absurdly old.
    const judged = judgeTimes({ ...event, priceId: price.id }, row.parked_at.getTime());
    return { ...judged, contentHash: row.content_hash, amounts, ...place };
  }
  return undefined;
}

/** Locks those of these rows that are still parked, by rising id. They are locked before any usage row; who parks an event waits for no lock on it. */
async function lockParked(client: PoolClient, rows: readonly PricedRow[]): Promise<PricedRow[]> {
  const { rows: locked } = await client.query<Place>(
    `SELECT p.id, encode(p.content_hash, 'hex') AS content_hash FROM billing.parked p, ${GIVEN_PLACES} ORDER BY p.id, p.content_hash FOR UPDATE OF p`,
    placesOf(rows),
  );
  const left = new Set(locked.map(({ id, content_hash }) => `${id}/${content_hash}`));
  return rows.filter(({ event, contentHash }) => left.has(`${event.id.toLowerCase()}/${contentHash}`));
}

const GIVEN_PLACES = `unnest($1::uuid[], $2::text[]) AS given (id, hash) WHERE p.id = given.id AND p.content_hash = decode(given.hash, 'hex')`;

function placesOf(rows: readonly PricedRow[]): [string, string] {
  return [plainArray(rows.map(({ event }) => event.id)), plainArray(rows.map(({ contentHash }) => contentHash))];
}

import type { Consumption, EventLog, LogBatch, LogConsumer } from '@tokone/messaging';
import { inTransaction } from '@tokone/persistence';
import type { Pool, PoolClient } from '@tokone/persistence';
import { noBillingMetrics, noTracing } from '@tokone/telemetry';
import type { BatchSpans, BillingMetrics, Tracing } from '@tokone/telemetry';
import type { BillingLog } from './billing-log.js';
import { DeadLimit, TooManyDeadError } from './dead-limit.js';
import { blamesRecord } from './database-refusal.js';
import { reportClockFaults } from './event-times.js';
import type { OutboxSignal } from './outbox-signal.js';
import type { LocalPriceBook } from './price-book.js';
import { BatchesInHand, measureBatch } from './batch-measure.js';
import { tracesOf, traceRating } from './rating-spans.js';
import { priceIdsOf, sortBatch } from './usage-batch.js';
import type { DeadRecord, UsageBatch } from './usage-batch.js';
import type { UsageRow } from './usage-row.js';
import { contentOf, findDead, findRated, unpark, writeConflicts, writeDead, writeParked, writeRows } from './usage-writer.js';
import type { Conflict, WriteResult } from './usage-writer.js';

export interface UsageConsumerParts {
  pool: Pool;
  prices: LocalPriceBook;
  outbox: OutboxSignal;
  log: BillingLog;
  now(): number;
  /** Default: a limit of its own, see `DeadLimit`. */
  deadLimit?: DeadLimit;
  /** Default: nobody counts. */
  metrics?: BillingMetrics;
  /** Default: nothing is recorded. */
  tracing?: Tracing;
}

/**
 * Rates `usage.recorded`. The log delivers at least once; each event id is rated and published once for ever: the
 * id is the primary key of the usage row, and rated rows, the outbox row made from exactly the new ones, records set
 * aside, and the cursor commit together or not at all. Any number of consumers may work on any partitions at once.
 *
 * Nothing is dropped: a record ends as a usage row, or in `parked`, `dead` or `conflict` with its bytes, or it is a
 * repetition of one that did. A failure of the database is thrown, and the log hands the batch over again; when only
 * some records are refused by the database, they are found by halving and become `dead` in the same transaction. When
 * too many die the whole batch is refused, and the line stops until that is over or the limit is raised.
 */
export class UsageConsumer implements LogConsumer {
  readonly batchSize = 500;
  readonly lingerMs = 50;
  private readonly deadLimit: DeadLimit;
  private readonly metrics: BillingMetrics;
  private readonly inHand: BatchesInHand;

  constructor(private readonly parts: UsageConsumerParts) {
    this.deadLimit = parts.deadLimit ?? new DeadLimit(() => parts.now());
    this.metrics = parts.metrics ?? noBillingMetrics;
    this.inHand = new BatchesInHand(() => parts.now());
  }

  start(eventLog: EventLog): Promise<Consumption> {
    return eventLog.consume(this);
  }

  async cursor(partition: string): Promise<bigint | undefined> {
    const { rows } = await this.parts.pool.query<{ next_offset: bigint }>(
      'SELECT next_offset FROM billing.log_cursor WHERE log_partition = $1',
      [partition],
    );
    return rows[0]?.next_offset;
  }

  /** Seconds since the oldest request ended that is in hand and not stored; 0 when none is. */
  get lagSeconds(): number {
    return this.inHand.oldestSeconds;
  }

  async handle(batch: LogBatch): Promise<void> {
    const startedAtMs = performance.now();
    this.inHand.take(batch);
    try {
      const spans = traceRating(this.parts.tracing ?? noTracing, batch);
      await spans.around(() => this.store(batch, spans));
      this.inHand.done(batch);
    } finally {
      this.metrics.batch(performance.now() - startedAtMs);
    }
  }

  private async store(batch: LogBatch, spans: BatchSpans): Promise<void> {
    const { prices, outbox, now } = this.parts;
    const sorted = sortBatch(batch, await prices.snapshots(priceIdsOf(batch)), now());
    sorted.traces = tracesOf(sorted.rows, spans);
    const result = await this.commit(sorted, this.deadLimit.allowance(batch.records.length));
    this.deadLimit.note(result.died);
    if (result.published) outbox.notify();
    measureBatch(this.metrics, { sorted, result, records: batch.records.length, nowMs: now() });
    this.report(sorted, result);
  }

  private async commit(batch: UsageBatch, mayDie: number): Promise<BatchResult> {
    const { pool } = this.parts;
    try {
      return await inTransaction(pool, (client) => write(client, { batch, mayDie }, writeRows));
    } catch (error) {
      if (error instanceof TooManyDeadError) this.reportStandstill(batch, error);
      if (!blamesRecord(error)) throw error;
    }
    try {
      return await inTransaction(pool, (client) => write(client, { batch, mayDie }, halvesWriter(mayDie)));
    } catch (error) {
      if (error instanceof TooManyDeadError) this.reportStandstill(batch, error);
      throw error;
    }
  }

  private reportStandstill({ partition, nextOffset }: UsageBatch, { message, cause }: TooManyDeadError): void {
    if (!this.deadLimit.alarm()) return;
    this.metrics.alarm('rating_stands_still');
    this.parts.log.error({ partition, nextOffset: `${nextOffset}`, reason: message, cause: cause && String(cause) }, 'rating stands still: too many records are dead');
  }

  /** Alarms, after the commit. A redelivered batch may raise them again. */
  private report(batch: UsageBatch, result: BatchResult): void {
    const { log } = this.parts;
    const { metrics } = this;
    const { partition } = batch;
    const disagreements = batch.rows.filter(({ amounts }) => amounts.disagreement);
    const [first] = disagreements;
    // One line a batch: whatever is wrong may be wrong for every request.
    if (first) {
      log.error({ ...disagreementFields(first), count: disagreements.length }, 'gateway and billing rate a request differently');
      metrics.alarm('rating_difference');
    }
    // A log that is read again from far back holds old events, all of them rated in their time.
    if (result.inserted > 0) reportClockFaults({ log, metrics }, batch.rows);
    for (const { content: { id, offset }, ratedContentHash } of result.conflicts) {
      log.error({ requestId: id, partition, offset: `${offset}`, ratedContentHash }, 'an id that is rated came again with another content');
      metrics.alarm('usage_conflict');
    }
    for (const { id, parked, offset } of batch.parked) {
      log.error({ requestId: id, partition, offset: `${offset}`, ...parked }, 'an event is parked: it cannot be charged as it stands');
      metrics.alarm('usage_parked');
    }
    for (const { reason, offset } of batch.dead) {
      log.error({ partition, offset: `${offset}`, reason }, 'a record is dead: it cannot be read or stored');
      metrics.alarm('usage_dead');
    }
  }
}

/** A batch on its way into the tables. */
interface BatchWork {
  batch: UsageBatch;
  /** More dead records than this refuse the whole batch. */
  mayDie: number;
}

interface BatchResult extends WriteResult {
  /** Records that are dead now and were not before. */
  died: number;
}

async function write(client: PoolClient, { batch, mayDie }: BatchWork, insert: typeof writeRows): Promise<BatchResult> {
  const result = await insert(client, batch, batch.rows);
  const seenBefore = result.inserted < batch.rows.length;
  if (seenBefore || batch.rivals.length > 0) {
    const suspects = seenBefore ? [...batch.rows, ...batch.rivals] : batch.rivals;
    result.conflicts = await writeConflicts(client, batch.partition, suspects.map(contentOf));
  }
  if (batch.parked.length > 0) result.conflicts.push(...(await park(client, batch)));
  const died = await writeDead(client, batch.partition, batch.dead);
  if (died > mayDie) throw tooManyDead(died, mayDie);
  return { ...result, died };
}

/** Parks what cannot be rated, but for what is rated: the same again is no news, another content of its id a conflict. */
async function park(client: PoolClient, batch: UsageBatch): Promise<Conflict[]> {
  const { partition, parked } = batch;
  await writeParked(client, partition, parked);
  const rated = await findRated(client, parked);
  const known = parked.filter(({ id }) => rated.has(id.toLowerCase()));
  if (known.length === 0) return [];
  const conflicts = await writeConflicts(client, partition, known);
  await unpark(client, known);
  batch.parked = parked.filter(({ id }) => !rated.has(id.toLowerCase()));
  return conflicts;
}

/**
 * Like `writeRows`, but puts aside the rows that the database refuses: the list is halved until the refused ones stand
 * alone. Each half has a savepoint, so the others stay. The halves together lock ids and sums in no fixed order, so
 * all other writers are kept out first; they hold nothing that this one waits for, and readers go on.
 */
const halvesWriter = (mayDie: number): typeof writeRows => async (client, batch, rows) => {
  await client.query('LOCK TABLE billing.usage_rollup IN SHARE ROW EXCLUSIVE MODE');
  const known = await findDead(client, batch.partition, rows.map(({ offset }) => offset));
  // The cursor moves even when no row is left.
  const total = await writeRows(client, batch, []);
  let died = 0;
  const poison: DeadRecord[] = [];
  const pending: (readonly UsageRow[])[] = [rows];
  for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
    const refusal = await trySavepoint(client, async () => {
      const { inserted, published } = await writeRows(client, batch, part);
      total.inserted += inserted;
      total.published ||= published;
    });
    if (refusal === undefined) continue;
    const [only] = part;
    if (only === undefined) throw refusal;
    if (part.length > 1) {
      pending.push(part.slice(part.length >> 1), part.slice(0, part.length >> 1));
      continue;
    }
    poison.push({ reason: refusal.message, raw: only.raw, offset: only.offset });
    if (!known.has(only.offset)) died++;
    if (died > mayDie) throw tooManyDead(died, mayDie, refusal);
  }
  batch.dead.push(...poison);
  const refused = new Set(poison.map(({ offset }) => offset));
  batch.rows = batch.rows.filter(({ offset }) => !refused.has(offset));
  return total;
};

function tooManyDead(count: number, mayDie: number, cause?: Error): TooManyDeadError {
  const sentence = `too many records cannot be read or stored: ${count} or more of this batch, where ${mayDie} may be put aside now; the batch is kept, and tried again. To put them all aside, raise the limit of dead records`;
  return new TooManyDeadError(sentence, { cause });
}

/** Runs `work` under a savepoint. Returns what the database has against a record; throws every other failure. */
async function trySavepoint(client: PoolClient, work: () => Promise<void>): Promise<Error | undefined> {
  await client.query('SAVEPOINT part');
  try {
    await work();
    await client.query('RELEASE SAVEPOINT part');
    return undefined;
  } catch (error) {
    if (!blamesRecord(error)) throw error;
    await client.query('ROLLBACK TO SAVEPOINT part');
    return error;
  }
}

function disagreementFields({ event, amounts }: UsageRow): Record<string, string> {
  return {
    requestId: event.id,
    ratedNanoUsd: `${amounts.ratedNanoUsd}`,
    chargeNanoUsd: `${amounts.chargeNanoUsd}`,
    holdNanoUsd: `${event.holdNanoUsd}`,
    grantNanoUsd: `${event.grantNanoUsd}`,
  };
}

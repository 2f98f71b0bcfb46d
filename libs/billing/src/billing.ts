import type { Consumption, EventLog } from '@tokone/messaging';
import { openPool } from '@tokone/persistence';
import type { Pool } from '@tokone/persistence';
import { databaseCheck } from '@tokone/service';
import type { HealthCheck } from '@tokone/service';
import { noBillingMetrics, noTracing } from '@tokone/telemetry';
import type { BillingMetrics, Tracing } from '@tokone/telemetry';
import { readBacklog } from './billing-backlog.js';
import type { BillingLog } from './billing-log.js';
import { BILLING_SCHEMA, checkBillingTables, migrateBilling } from './billing-schema.js';
import { ChargeOutbox } from './charge-outbox.js';
import { ChargePublication } from './charge-publication.js';
import type { ChargePublisher } from './charge-publication.js';
import { ChargeStatements } from './charge-statement.js';
import { DeadLimit } from './dead-limit.js';
import type { DeadLimits } from './dead-limit.js';
import { DeadPublication } from './dead-publication.js';
import type { DeadPublisher } from './dead-publication.js';
import { LocalRatedAudit } from './local-rated-audit.js';
import { OutboxChargeLog } from './outbox-charge-log.js';
import { OutboxSignal } from './outbox-signal.js';
import { ParkedRating } from './parked-rating.js';
import { ParkedWaiver } from './parked-waiver.js';
import { LocalPriceBook } from './price-book.js';
import type { PriceSeed } from './price-seed.js';
import { ensurePriceBook, wantedPrices } from './seed-price-book.js';
import { UsageConsumer } from './usage-consumer.js';
import { LocalUsageQuery } from './usage-query.js';

export interface BillingOptions {
  databaseUrl: string;
  log: BillingLog;
  /** Default: nobody counts. */
  metrics?: BillingMetrics;
  /** Default: nothing is recorded. */
  tracing?: Tracing;
  /** Milliseconds since 1970. */
  now(): number;
  /**
   * True: `prepareBilling` has made the tables and the price book, and this process may not and does not, whatever
   * `operatorPrices` and `priceSeed` say. Default false.
   */
  prepared?: boolean;
  /** An operator's prices beside, or in place of, those of the price table that comes with the product. */
  operatorPrices?: PriceSeed | undefined;
  /** Default: the price table that comes with the product. */
  priceSeed?: PriceSeed;
  /** How many dead records stop the line. */
  deadLimits?: DeadLimits;
  /** Connections for rating and for readers of the outbox, one each that works; default 4. */
  ratingPoolSize?: number;
  /** Connections for reports; default 4. A pool of its own, so that reports never keep a charge waiting. */
  reportPoolSize?: number;
}

/** Where billing publishes to, between services. */
export interface BillingPublishers {
  charges: ChargePublisher;
  dead: DeadPublisher;
}

const RATING_TIMEOUT_MS = 10_000;
const REPORT_TIMEOUT_MS = 2_000;

/**
 * The billing feature without a framework: its tables are there, its price book is loaded, nothing is consumed or
 * published yet. Owner: stop().
 */
export class Billing {
  readonly priceBook: LocalPriceBook;
  readonly usageQuery: LocalUsageQuery;
  readonly chargeStatements: ChargeStatements;
  readonly waiver: ParkedWaiver;
  /** For reconciliation. */
  readonly ratedAudit: LocalRatedAudit;
  /** For a transport that hands over batches, and its cursors. In one process `startRating` does both. */
  readonly usageConsumer: UsageConsumer;
  readonly outbox: ChargeOutbox;
  /** For an account service in the same process; not beside `startPublishing`, which takes the same rows. */
  readonly chargeLog: OutboxChargeLog;
  private readonly outboxSignal = new OutboxSignal();
  private readonly parkedRating: ParkedRating;
  private publications: (ChargePublication | DeadPublication)[] = [];
  private parkedLooks: Promise<void> | undefined;
  private rating: Promise<Consumption> | undefined;
  private stopped: Promise<void> | undefined;

  constructor(
    private readonly options: BillingOptions,
    private readonly ratingPool: Pool,
    private readonly reportPool: Pool,
  ) {
    const { log, deadLimits, metrics = noBillingMetrics, tracing = noTracing } = options;
    const [pool, outbox] = [ratingPool, this.outboxSignal];
    const now = (): number => options.now();
    this.priceBook = new LocalPriceBook(pool, log);
    this.usageQuery = new LocalUsageQuery(reportPool, now);
    this.chargeStatements = new ChargeStatements(reportPool, this.priceBook);
    this.ratedAudit = new LocalRatedAudit(reportPool);
    this.outbox = new ChargeOutbox({ pool, signal: outbox, log });
    this.chargeLog = new OutboxChargeLog({ pool, signal: outbox, log });
    this.usageConsumer = new UsageConsumer({ pool, prices: this.priceBook, outbox, log, now, metrics, tracing, deadLimit: new DeadLimit(now, deadLimits) });
    this.waiver = new ParkedWaiver({ pool, outbox, log, metrics });
    this.parkedRating = new ParkedRating({ pool, prices: this.priceBook, outbox, log, metrics });
    metrics.watch({ lag: () => this.usageConsumer.lagSeconds, backlog: () => readBacklog(reportPool) });
  }

  /** Rates what is parked and has a price by now, and from then on whatever gets one. Resolves after the first look. */
  startParkedRating(): Promise<void> {
    this.parkedLooks ??= this.parkedRating.start();
    return this.parkedLooks;
  }

  /** After the parked ones, begins to rate what the log holds, once. Its `caughtUp` is the usage watermark. */
  startRating(eventLog: EventLog): Promise<Consumption> {
    this.rating ??= this.startParkedRating().then(() => this.usageConsumer.start(eventLog));
    return this.rating;
  }

  /** Begins to publish charges and dead records, once, and goes on until the stop. The publishers stay the caller's. */
  startPublishing({ charges, dead }: BillingPublishers): void {
    if (this.publications.length > 0 || this.stopped) return;
    const { log } = this.options;
    // Nobody waits for a dead record: its reader looks by itself.
    const deadParts = { pool: this.ratingPool, signal: new OutboxSignal(), log };
    this.publications = [new ChargePublication(this.outbox, charges), new DeadPublication(deadParts, dead)];
    for (const publication of this.publications) publication.start();
  }

  /** What must work before this process can be of use. */
  healthChecks(): HealthCheck[] {
    return [databaseCheck(this.reportPool, BILLING_SCHEMA)];
  }

  /** Finishes what runs and closes the connections. Whoever hands batches over, or reads the charge log, must have been stopped before. */
  stop(): Promise<void> {
    this.stopped ??= this.close();
    return this.stopped;
  }

  private async close(): Promise<void> {
    try {
      const rating = await this.rating?.catch(() => undefined);
      await rating?.stop();
      await this.parkedRating.stop();
      await Promise.all(this.publications.map((publication) => publication.stop()));
      await this.priceBook.stop();
    } finally {
      await Promise.all([this.ratingPool.end(), this.reportPool.end()]);
    }
  }
}

/**
 * Opens billing on its tables and loads the price book; makes both before, unless they are `prepared`. Closes what it
 * opened when something fails.
 * @throws StartupError when they are said to be prepared and are not.
 */
export async function openBilling(options: BillingOptions): Promise<Billing> {
  const { databaseUrl: url, prepared = false, ratingPoolSize = 4, reportPoolSize = 4 } = options;
  if (!prepared) await migrateBilling(url);
  const pools = [
    openPool({ url, poolSize: ratingPoolSize, statementTimeoutMs: RATING_TIMEOUT_MS, applicationName: 'tokone billing' }),
    openPool({ url, poolSize: reportPoolSize, statementTimeoutMs: REPORT_TIMEOUT_MS, applicationName: 'tokone billing reports' }),
  ] as const;
  const billing = new Billing(options, ...pools);
  try {
    if (prepared) await checkBillingTables(pools[0]);
    else await ensurePriceBook(pools[0], wantedPrices(options), options.now());
    await billing.priceBook.start();
    return billing;
  } catch (error) {
    await billing.stop();
    throw error;
  }
}

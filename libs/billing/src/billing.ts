import type { Consumption, EventLog } from '@tokone/messaging';
import { openDatabase, openPool, runMigrations } from '@tokone/persistence';
import type { Pool } from '@tokone/persistence';
import type { BillingLog } from './billing-log.js';
import { ChargeStatements } from './charge-statement.js';
import { CreateBillingTables1763900000000 } from './migrations/create-billing-tables.js';
import { OutboxChargeLog } from './outbox-charge-log.js';
import { OutboxSignal } from './outbox-signal.js';
import { ParkedRating } from './parked-rating.js';
import { LocalPriceBook } from './price-book.js';
import { withPrices } from './price-file.js';
import { readPriceSeed } from './price-seed.js';
import type { PriceSeed } from './price-seed.js';
import { ensurePriceBook } from './seed-price-book.js';
import { UsageConsumer } from './usage-consumer.js';
import { LocalUsageQuery } from './usage-query.js';

export interface BillingOptions {
  databaseUrl: string;
  log: BillingLog;
  /** Milliseconds since 1970. */
  now(): number;
  /** An operator's prices beside, or in place of, those of the price table that comes with the product. */
  operatorPrices?: PriceSeed | undefined;
  /** Default: the price table that comes with the product. */
  priceSeed?: PriceSeed;
  /** Connections for rating and for readers of the outbox, one each that works; default 4. */
  ratingPoolSize?: number;
  /** Connections for reports; default 4. A pool of its own, so that reports never keep a charge waiting. */
  reportPoolSize?: number;
}

const RATING_TIMEOUT_MS = 10_000;
const REPORT_TIMEOUT_MS = 2_000;
const BILLING_SCHEMA = 'billing';

/**
 * The billing feature without a framework: its tables are migrated, its price book is loaded, nothing is consumed
 * yet. Owner: stop().
 */
export class Billing {
  readonly priceBook: LocalPriceBook;
  readonly usageQuery: LocalUsageQuery;
  readonly chargeLog: OutboxChargeLog;
  readonly chargeStatements: ChargeStatements;
  private readonly consumer: UsageConsumer;
  private readonly parkedRating: ParkedRating;
  private rating: Promise<Consumption> | undefined;
  private stopped: Promise<void> | undefined;

  constructor(
    options: BillingOptions,
    private readonly ratingPool: Pool,
    private readonly reportPool: Pool,
  ) {
    const { log } = options;
    const outbox = new OutboxSignal();
    const now = (): number => options.now();
    this.priceBook = new LocalPriceBook(ratingPool, log);
    this.usageQuery = new LocalUsageQuery(reportPool, now);
    this.chargeLog = new OutboxChargeLog({ pool: ratingPool, signal: outbox, log });
    this.chargeStatements = new ChargeStatements(reportPool, this.priceBook);
    this.consumer = new UsageConsumer({ pool: ratingPool, prices: this.priceBook, outbox, log, now });
    this.parkedRating = new ParkedRating({ pool: ratingPool, prices: this.priceBook, outbox, log });
  }

  /** Rates what is parked and has a price by now, then begins to rate what the log holds, once. Its `caughtUp` is the usage watermark. */
  startRating(eventLog: EventLog): Promise<Consumption> {
    this.rating ??= this.parkedRating.start().then(() => this.consumer.start(eventLog));
    return this.rating;
  }

  /** Finishes the running batch and closes the connections. Readers of the charge log must have been stopped before. */
  stop(): Promise<void> {
    this.stopped ??= this.close();
    return this.stopped;
  }

  private async close(): Promise<void> {
    try {
      const rating = await this.rating?.catch(() => undefined);
      await rating?.stop();
      await this.parkedRating.stop();
      await this.priceBook.stop();
    } finally {
      await Promise.all([this.ratingPool.end(), this.reportPool.end()]);
    }
  }
}

/** Migrates the schema, makes sure of a price book, and loads it. Closes what it opened when one of these fails. */
export async function openBilling(options: BillingOptions): Promise<Billing> {
  await migrateBilling(options.databaseUrl);
  const { databaseUrl: url, ratingPoolSize = 4, reportPoolSize = 4 } = options;
  const pools = [
    openPool({ url, poolSize: ratingPoolSize, statementTimeoutMs: RATING_TIMEOUT_MS, applicationName: 'tokone billing' }),
    openPool({ url, poolSize: reportPoolSize, statementTimeoutMs: REPORT_TIMEOUT_MS, applicationName: 'tokone billing reports' }),
  ] as const;
  const billing = new Billing(options, ...pools);
  try {
    const seed = options.priceSeed ?? readPriceSeed();
    const { operatorPrices } = options;
    await ensurePriceBook(pools[0], operatorPrices ? { ...withPrices(seed, operatorPrices), origin: 'operator' } : seed, options.now());
    await billing.priceBook.start();
    return billing;
  } catch (error) {
    await billing.stop();
    throw error;
  }
}

/** Creates or updates the tables of schema `billing`. */
export async function migrateBilling(databaseUrl: string): Promise<void> {
  const dataSource = await openDatabase({
    url: databaseUrl,
    schema: BILLING_SCHEMA,
    entities: [],
    migrations: [CreateBillingTables1763900000000],
    poolSize: 2,
    statementTimeoutMs: RATING_TIMEOUT_MS,
    applicationName: 'tokone billing migrations',
  });
  try {
    await runMigrations(dataSource);
  } finally {
    await dataSource.destroy();
  }
}

import { ensureRole, openPool } from '@tokone/persistence';
import { APPEND_ONLY_TABLES, BILLING_SCHEMA, migrateBilling } from './billing-schema.js';
import type { BillingLog } from './billing-log.js';
import type { PriceSeed } from './price-seed.js';
import { ensurePriceBook, wantedPrices } from './seed-price-book.js';

export interface PrepareBillingOptions {
  /** Of the owner of the tables, who may make roles too. */
  adminUrl: string;
  /** The role that the billing service logs in with; created or altered. Without it nobody but the owner may do anything. */
  role?: { name: string; password: string };
  operatorPrices?: PriceSeed | undefined;
  /** Default: the price table that comes with the product. */
  priceSeed?: PriceSeed;
  /** Milliseconds since 1970. */
  now(): number;
  log: Pick<BillingLog, 'info'>;
}

const STATEMENT_TIMEOUT_MS = 30_000;

/**
 * Makes everything that services of billing find there: tables, price book, role. Done once per deployment and version,
 * by a command; any number of them may run at once, and beside running services.
 */
export async function prepareBilling(options: PrepareBillingOptions): Promise<void> {
  const { adminUrl: url, role, log } = options;
  await migrateBilling(url);
  const pool = openPool({ url, poolSize: 1, statementTimeoutMs: STATEMENT_TIMEOUT_MS, applicationName: 'tokone billing preparation' });
  try {
    const version = await ensurePriceBook(pool, wantedPrices(options), options.now());
    if (role) await ensureRole(pool, { role: role.name, password: role.password, schema: BILLING_SCHEMA, appendOnly: APPEND_ONLY_TABLES });
    log.info({ prices: version, role: role?.name }, 'billing is prepared');
  } finally {
    await pool.end();
  }
}

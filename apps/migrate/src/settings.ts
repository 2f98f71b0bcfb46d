import { readPriceFile } from '@tokone/billing';
import type { PriceSeed } from '@tokone/billing';
import { choice, databaseUrl, integer } from '@tokone/http';
import type { Setting } from '@tokone/http';
import { KAFKA_SETTINGS } from '@tokone/service';
import { LOG_LEVELS } from '@tokone/telemetry';

const pricesFile: Setting<PriceSeed | undefined> = {
  about: 'JSON file of prices, in the form of libs/billing/src/price-seed.json: its models are sold beside, or in place of, those of the built-in table.',
  fallback: undefined,
  read: (value) => (value === undefined ? undefined : readPriceFile(value)),
};

/** What the command can be told. */
export const SETTINGS = {
  DATABASE_URL: databaseUrl('The database, by a user who owns it and may make roles.'),
  TOKONE_ACCOUNT_DATABASE_URL: databaseUrl('The same database as the account service will open it: its user and password are made.'),
  TOKONE_BILLING_DATABASE_URL: databaseUrl('The same database as the billing service will open it: its user and password are made.'),
  TOKONE_PRICES_FILE: pricesFile,
  ...KAFKA_SETTINGS,
  TOKONE_KAFKA_REPLICATION: integer('Copies of each partition; 0 takes three where the cluster has three brokers, else one.', 0, { min: 0, max: 9 }),
  LOG_LEVEL: choice('Least level of the JSON log lines on standard error.', 'warn', LOG_LEVELS),
} as const;

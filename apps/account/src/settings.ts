import { DEFAULT_KEY_PREFIX, checkKeyPrefix } from '@tokone/account';
import { baseUrls, databaseUrl, internalSecret, secretBytes } from '@tokone/http';
import type { Setting, Settings } from '@tokone/http';
import { KAFKA_SETTINGS, REDIS_SETTINGS, SERVICE_SETTINGS } from '@tokone/service';

const keyPrefix: Setting<string> = {
  about: 'What every key that is issued begins with.',
  fallback: DEFAULT_KEY_PREFIX,
  read(value = '') {
    try {
      return checkKeyPrefix(value);
    } catch {
      throw new Error('is not 1 to 24 letters, digits, "-" or "_" that begin with a letter or digit.');
    }
  },
};

/** What the account service can be told. */
export const SETTINGS = {
  ...SERVICE_SETTINGS,
  ...KAFKA_SETTINGS,
  ...REDIS_SETTINGS,
  DATABASE_URL: databaseUrl('The database, by the user of the account service; migrate makes it.'),
  TOKONE_KEY_PEPPER: secretBytes('Keys are stored as HMAC under it; the same for account and gateway. Lost, every key is useless.'),
  TOKONE_SEALING_KEY: secretBytes('Provider credentials are sealed with it. Lost, every stored credential is useless.'),
  TOKONE_OPERATOR_TOKEN: internalSecret("What the operator's command line shows to the management API."),
  TOKONE_KEY_PREFIX: keyPrefix,
  TOKONE_BILLING_URLS: baseUrls('Internal addresses of the billing service, with commas in between.'),
} as const;

export type AccountSettings = Settings<typeof SETTINGS>;

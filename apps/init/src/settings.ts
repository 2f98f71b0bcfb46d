import { DEFAULT_KEY_PREFIX } from '@tokone/account';
import { baseUrl, choice, databaseUrl, optionalText, secretBytes, text } from '@tokone/http';
import { UPSTREAM_SETTINGS } from '@tokone/quickstart';
import { LOG_LEVELS } from '@tokone/telemetry';

/** What the command can be told. */
export const SETTINGS = {
  DATABASE_URL: databaseUrl('The database, by the user of the account service.'),
  TOKONE_KEY_PEPPER: secretBytes('Keys are stored as HMAC under it; the same for account and gateway.'),
  TOKONE_SEALING_KEY: secretBytes('Provider credentials are sealed with it; as the account service has it.'),
  TOKONE_KEY_PREFIX: text('What every key that is issued begins with.', DEFAULT_KEY_PREFIX),
  ...UPSTREAM_SETTINGS,
  TOKONE_SIMULATOR_URL: baseUrl('Simulator of the providers, for the groups without a key or an address of their own.'),
  TOKONE_OPENAI_KEY: optionalText('Demo key of group openai that was kept; a new one is issued when it is unknown.'),
  TOKONE_ANTHROPIC_KEY: optionalText('Demo key of group anthropic that was kept.'),
  TOKONE_GEMINI_KEY: optionalText('Demo key of group gemini that was kept.'),
  LOG_LEVEL: choice('Least level of the JSON log lines on standard error.', 'warn', LOG_LEVELS),
} as const;

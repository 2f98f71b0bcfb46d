import { DEFAULT_KEY_PREFIX, checkKeyPrefix } from '@tokone/account';
import { baseUrl, choice, integer, secret, text } from '@tokone/http';
import type { Setting, Settings } from '@tokone/http';
import { LOG_LEVELS } from '@tokone/telemetry';

const keyPrefix: Setting<string> = {
  about: 'What every key that is issued begins with.',
  fallback: DEFAULT_KEY_PREFIX,
  read(value) {
    checkKeyPrefix(value ?? '');
    return value ?? '';
  },
};

/** Everything that can be set. `npm start -- --help` and docs/configuration.md are made from this table. */
export const SETTINGS = {
  HOST: text('Address to listen on. 0.0.0.0 serves other machines too.', '127.0.0.1'),
  PORT: integer('Port to listen on; 0 takes a free one.', 8080, { min: 0, max: 65_535 }),
  TOKONE_DATA_DIR: text('Folder of everything that TokOne keeps: database, spool, secrets, quickstart.env.', '.tokone'),
  TOKONE_KEY_PREFIX: keyPrefix,
  OPENAI_API_KEY: secret('Group openai calls OpenAI with this key, and spends real money.'),
  ANTHROPIC_API_KEY: secret('Group anthropic calls Anthropic with this key, and spends real money.'),
  GEMINI_API_KEY: secret('Group gemini calls Google with this key, and spends real money.'),
  TOKONE_OPENAI_UPSTREAM_URL: baseUrl("Base URL of group openai's upstream, without /v1."),
  TOKONE_ANTHROPIC_UPSTREAM_URL: baseUrl("Base URL of group anthropic's upstream, without /v1."),
  TOKONE_GEMINI_UPSTREAM_URL: baseUrl("Base URL of group gemini's upstream, without /v1beta."),
  TOKONE_BODY_LIMIT_BYTES: integer('Largest request body.', 33_554_432, { min: 1_024, max: 536_870_912 }),
  TOKONE_REFERENCE_TOKENS: integer('Tokens held for each file or URL that a request refers to.', 20_000, { min: 0, max: 10_000_000 }),
  TOKONE_DRAIN_SECONDS: integer('How long running answers may go on after SIGTERM or Ctrl-C.', 30, { min: 0, max: 50 }),
  TOKONE_SPOOL_STRICT: choice('yes: the end of an answer waits until its record is on disk, so that not even a power loss takes it.', 'no', ['no', 'yes']),
  LOG_LEVEL: choice('Least level of the JSON log lines on standard error.', 'warn', LOG_LEVELS),
};

export type StandaloneSettings = Settings<typeof SETTINGS>;

import { fileURLToPath } from 'node:url';
import { DEFAULT_KEY_PREFIX, checkKeyPrefix } from '@tokone/account';
import { readPriceFile } from '@tokone/billing';
import type { PriceSeed } from '@tokone/billing';
import { choice, folder, integer, text } from '@tokone/http';
import type { Setting, Settings } from '@tokone/http';
import { UPSTREAM_SETTINGS } from '@tokone/quickstart';
import { LONGEST_DRAIN_SECONDS, TRACE_SETTINGS } from '@tokone/service';
import { LOG_LEVELS } from '@tokone/telemetry';

/** In the repository, whose .gitignore names it. */
const STANDARD_DATA_FOLDER = fileURLToPath(new URL('../../../.tokone', import.meta.url));

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

const pricesFile: Setting<PriceSeed | undefined> = {
  about: 'JSON file of prices, in the form of libs/billing/src/price-seed.json: its models are sold beside, or in place of, those of the built-in table.',
  fallback: undefined,
  read: (value) => (value === undefined ? undefined : readPriceFile(value)),
};

/** Everything that can be set. `npm start -- --help` and docs/configuration.md are made from this table. */
export const SETTINGS = {
  HOST: text('Address to listen on. 0.0.0.0 serves other machines too.', '127.0.0.1'),
  PORT: integer('Port to listen on; 0 takes a free one.', 8080, { min: 0, max: 65_535 }),
  MANAGEMENT_PORT: integer('Port on 127.0.0.1 for operators: management API, health and metrics; 0 takes a free one. operator.json in the data folder has the address.', 0, { min: 0, max: 65_535 }),
  TOKONE_DATA_DIR: folder('Folder of everything that TokOne keeps: database, spool, secrets, quickstart.env. Unset: .tokone in the repository.', STANDARD_DATA_FOLDER),
  TOKONE_KEY_PREFIX: keyPrefix,
  ...UPSTREAM_SETTINGS,
  TOKONE_BODY_LIMIT_BYTES: integer('Largest request body.', 33_554_432, { min: 1_024, max: 536_870_912 }),
  TOKONE_REFERENCE_TOKENS: integer('Tokens held for each file or URL that a request refers to.', 20_000, { min: 0, max: 10_000_000 }),
  TOKONE_PRICES_FILE: pricesFile,
  TOKONE_STALL_SECONDS: integer('A client that takes nothing of its answer for this long counts as gone.', 30, { min: 1, max: 3_600 }),
  TOKONE_UPSTREAM_SILENCE_SECONDS: integer('A provider that sends nothing for this long, before or within a streamed answer, has failed.', 120, { min: 1, max: 3_600 }),
  TOKONE_DRAIN_SECONDS: integer(`How long running answers may go on after SIGTERM or Ctrl-C; at most ${LONGEST_DRAIN_SECONDS}.`, 30, { min: 0, max: LONGEST_DRAIN_SECONDS }),
  TOKONE_SPOOL_STRICT: choice('yes: the end of an answer waits until its record is on disk, so that not even a power loss takes it.', 'no', ['no', 'yes']),
  LOG_LEVEL: choice('Least level of the JSON log lines on standard error.', 'warn', LOG_LEVELS),
  ...TRACE_SETTINGS,
};

export type StandaloneSettings = Settings<typeof SETTINGS>;

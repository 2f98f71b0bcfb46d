import { fileURLToPath } from 'node:url';
import { brokers, choice, databaseUrl, folder, integer, optional, optionalText, redisUrl, text } from '@tokone/http';
import type { Settings } from '@tokone/http';
import { UPSTREAM_SETTINGS } from '@tokone/quickstart';
import { KAFKA_SETTINGS, LONGEST_DRAIN_SECONDS, REDIS_SETTINGS, TRACE_SETTINGS } from '@tokone/service';
import { LOG_LEVELS } from '@tokone/telemetry';

/** In the repository, as npm start has it. */
const STANDARD_DATA_FOLDER = fileURLToPath(new URL('../../../.tokone', import.meta.url));

/** What `npm run start:services` can be told; what it does not use itself goes on to the services. */
export const SETTINGS = {
  HOST: text('Address that the gateway, or the balancer in front of several, listens on. 0.0.0.0 serves other machines too.', '127.0.0.1'),
  PORT: integer('Port that the gateway, or the balancer, listens on; 0 takes a free one.', 8080, { min: 0, max: 65_535 }),
  TOKONE_DATA_DIR: folder('Folder of everything that TokOne keeps; what belongs to the services is in its folder services. Unset: .tokone in the repository.', STANDARD_DATA_FOLDER),
  TOKONE_KEY_PREFIX: text('What every key that is issued begins with.', 'sk-'),
  ...UPSTREAM_SETTINGS,
  TOKONE_REPLICAS: integer('How many processes each of billing, account and the adapters has.', 1, { min: 1, max: 8 }),
  TOKONE_ADAPTERS: choice('in-process: the gateway hosts the adapters itself, and no adapter services are started.', 'remote', ['remote', 'in-process']),
  KAFKA_BROKERS: optional(brokers('Brokers of a Kafka that runs already, host:port with commas in between. Unset: one is started.')),
  REDIS_URL: optional(redisUrl('A Redis that runs already. Unset: one is started.')),
  DATABASE_URL: optional(databaseUrl('A PostgreSQL that runs already, as an owner who may make roles. Unset: one is started.')),
  TOKONE_KAFKA_TOPIC_PREFIX: KAFKA_SETTINGS.TOKONE_KAFKA_TOPIC_PREFIX,
  TOKONE_REDIS_PREFIX: REDIS_SETTINGS.TOKONE_REDIS_PREFIX,
  TOKONE_BODY_LIMIT_BYTES: integer('Largest request body.', 33_554_432, { min: 1_024, max: 536_870_912 }),
  TOKONE_REFERENCE_TOKENS: integer('Tokens held for each file or URL that a request refers to.', 20_000, { min: 0, max: 10_000_000 }),
  TOKONE_PRICES_FILE: optionalText('JSON file of prices, in the form of libs/billing/src/price-seed.json.'),
  TOKONE_STALL_SECONDS: integer('A client that takes nothing of its answer for this long counts as gone.', 30, { min: 1, max: 3_600 }),
  TOKONE_UPSTREAM_SILENCE_SECONDS: integer('A provider that sends nothing for this long, before or within a streamed answer, has failed.', 120, { min: 1, max: 3_600 }),
  TOKONE_DRAIN_SECONDS: integer(`How long running answers may go on after SIGTERM or Ctrl-C; at most ${LONGEST_DRAIN_SECONDS}.`, 30, { min: 0, max: LONGEST_DRAIN_SECONDS }),
  TOKONE_SHUTDOWN_DELAY_SECONDS: integer('A gateway that gets SIGTERM calls itself not ready and serves on for so long, so that the balancer sends nobody to it any more; a part of TOKONE_DRAIN_SECONDS.', 0, { min: 0, max: 30 }),
  TOKONE_SPOOL_STRICT: choice('yes: the end of an answer waits until its record is on disk.', 'no', ['no', 'yes']),
  TOKONE_SPOOL_LIMIT_BYTES: integer('While the spool is larger, because Kafka is away, new requests are refused.', 2_147_483_648, { min: 65_536, max: 1_099_511_627_776 }),
  TOKONE_ADMISSION_TIMEOUT_MS: integer('A request whose balance Redis has not answered for within this time is refused with 503.', 50, { min: 5, max: 5_000 }),
  TOKONE_DEAD_LIMIT: integer('So many records within a minute may be unreadable; beyond it rating waits for a person. Raised, it goes on.', 20, { min: 0, max: 1_000_000 }),
  LOG_LEVEL: choice('Least level of the JSON log lines on standard error.', 'warn', LOG_LEVELS),
  ...TRACE_SETTINGS,
  NODE_EXTRA_CA_CERTS: optionalText('File of certificates that are trusted beside those that Node brings, as by a proxy or a database of your own. It goes on to every service, as the next two do; all other variables do not.'),
  NODE_USE_SYSTEM_CA: optionalText('1: the certificates that this machine trusts are trusted, too.'),
  TZ: optionalText('Time zone of the processes.'),
} as const;

export type SupervisorSettings = Settings<typeof SETTINGS>;

/** What Node itself reads: as `npm start` has it from its surroundings, every process of ours has it here. */
const READ_BY_NODE = ['NODE_EXTRA_CA_CERTS', 'NODE_USE_SYSTEM_CA', 'TZ'] as const;

export function variablesForNode(settings: SupervisorSettings): Record<string, string> {
  return Object.fromEntries(READ_BY_NODE.flatMap((name) => (settings[name] === undefined ? [] : [[name, settings[name]]])));
}

/** Every service records its part of a trace. */
export function variablesForTraces(settings: SupervisorSettings): Record<string, string> {
  const names = Object.keys(TRACE_SETTINGS) as (keyof typeof TRACE_SETTINGS)[];
  return Object.fromEntries(names.flatMap((name) => (settings[name] === undefined ? [] : [[name, String(settings[name])]])));
}

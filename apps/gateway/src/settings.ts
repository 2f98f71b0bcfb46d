import { baseUrl, baseUrls, choice, folder, integer, secretBytes, text } from '@tokone/http';
import type { Setting, Settings } from '@tokone/http';
import { KAFKA_SETTINGS, LONGEST_DRAIN_SECONDS, REDIS_SETTINGS, SERVICE_SETTINGS } from '@tokone/service';

/** Like `baseUrls`, but may be left out. */
function adapterUrls(platform: string): Setting<readonly string[] | undefined> {
  const one = baseUrls(`Internal addresses of the adapter service for ${platform}, with commas in between.`);
  return { ...one, read: (value) => (value === undefined ? undefined : one.read(value)) };
}

/** What the gateway can be told. */
export const SETTINGS = {
  HOST: text('Address to listen on for tenants. 0.0.0.0 serves other machines too.', '127.0.0.1'),
  PORT: integer('Port to listen on for tenants; 0 takes a free one.', 8080, { min: 0, max: 65_535 }),
  ...SERVICE_SETTINGS,
  ...KAFKA_SETTINGS,
  ...REDIS_SETTINGS,
  TOKONE_SPOOL_DIR: folder('Folder of the spool, on a disk that outlives the process; each gateway has its own. Unset: spool below the working folder.', 'spool'),
  TOKONE_SPOOL_STRICT: choice('yes: the end of an answer waits until its record is on disk, so that not even a power loss takes it.', 'no', ['no', 'yes']),
  TOKONE_SPOOL_LIMIT_BYTES: integer('While the spool is larger, because Kafka is away, new requests are refused.', 2_147_483_648, { min: 65_536, max: 1_099_511_627_776 }),
  TOKONE_KEY_PEPPER: secretBytes('Keys are stored as HMAC under it; the same for account and gateway.'),
  TOKONE_ACCOUNT_URLS: baseUrls('Internal addresses of the account service, with commas in between.'),
  TOKONE_BILLING_URLS: baseUrls('Internal addresses of the billing service, with commas in between.'),
  TOKONE_GATEWAY_URL: baseUrl('Address of the internal listener as the account service reaches it. Unset: host and port of the listener, which must not be 0.0.0.0 or :: then.'),
  TOKONE_ADAPTERS: choice('in-process: the gateway hosts the adapters itself, and calls the providers.', 'remote', ['remote', 'in-process']),
  TOKONE_OPENAI_ADAPTER_URLS: adapterUrls('openai'),
  TOKONE_ANTHROPIC_ADAPTER_URLS: adapterUrls('anthropic'),
  TOKONE_GEMINI_ADAPTER_URLS: adapterUrls('gemini'),
  TOKONE_BODY_LIMIT_BYTES: integer('Largest request body.', 33_554_432, { min: 1_024, max: 536_870_912 }),
  TOKONE_REFERENCE_TOKENS: integer('Tokens held for each file or URL that a request refers to.', 20_000, { min: 0, max: 10_000_000 }),
  TOKONE_STALL_SECONDS: integer('A client that takes nothing of its answer for this long counts as gone.', 30, { min: 1, max: 3_600 }),
  TOKONE_UPSTREAM_SILENCE_SECONDS: integer('A provider that sends nothing for this long, before or within a streamed answer, has failed.', 120, { min: 1, max: 3_600 }),
  TOKONE_ADMISSION_TIMEOUT_MS: integer('A request whose balance Redis has not answered for within this time is refused with 503.', 50, { min: 5, max: 5_000 }),
  TOKONE_DRAIN_SECONDS: integer(`How long running answers may go on after SIGTERM; at most ${LONGEST_DRAIN_SECONDS}.`, 30, { min: 0, max: LONGEST_DRAIN_SECONDS }),
  TOKONE_SHUTDOWN_DELAY_SECONDS: integer('After SIGTERM the gateway calls itself not ready and serves on for so long, so that balancers send nobody to it any more; a part of TOKONE_DRAIN_SECONDS.', 5, { min: 0, max: 30 }),
} as const;

export type GatewaySettings = Settings<typeof SETTINGS>;

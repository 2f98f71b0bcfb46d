import { randomUUID } from 'node:crypto';
import { HttpAccountDirectory, HttpUpstreamDirectory } from '@tokone/account-client';
import { InternalClient, UndiciUpstreamClient, baseUrls, integer } from '@tokone/http';
import { KafkaChangeFeed, KafkaConnection } from '@tokone/messaging';
import { HealthChecks, HealthModule, InternalSecret, KAFKA_SETTINGS, LONGEST_DRAIN_SECONDS, MetricsModule, SERVICE_SETTINGS, ServiceListeners, internalAddress, managementAddress } from '@tokone/service';
import type { ServiceDefinition } from '@tokone/service';
import { RegistryUpstreamMetrics } from '@tokone/telemetry';
import { accountCheck } from './account-check.js';
import { AdapterFront } from './adapter-front.js';
import { ProviderAdapter } from './provider-adapter.js';
import type { Provider } from './provider.js';

/** What an adapter service can be told. */
export const ADAPTER_SETTINGS = {
  ...SERVICE_SETTINGS,
  ...KAFKA_SETTINGS,
  TOKONE_ACCOUNT_URLS: baseUrls('Internal addresses of the account service, with commas in between.'),
  TOKONE_BODY_LIMIT_BYTES: integer('Largest request body, as the gateway has it.', 33_554_432, { min: 1_024, max: 536_870_912 }),
  TOKONE_UPSTREAM_SILENCE_SECONDS: integer('A provider that sends nothing for this long, before or within a streamed answer, has failed.', 120, { min: 1, max: 3_600 }),
  TOKONE_DRAIN_SECONDS: integer(`How long running answers may go on after SIGTERM; at most ${LONGEST_DRAIN_SECONDS}.`, 30, { min: 0, max: LONGEST_DRAIN_SECONDS }),
} as const;

/** Until the head of an answer that is not streamed: a model may think for minutes. */
export const ANSWER_TIMEOUT_MS = 600_000;
const CONNECTIONS_PER_ORIGIN = 16_384;
const CONNECT_TIMEOUT_MS = 5_000;
const BODIES_IN_MEMORY_BYTES = 512 * 1024 * 1024;

/** One provider's adapter as a service: dispatches come in over HTTP, upstreams are asked for at the account service. */
export function adapterService(provider: Provider): ServiceDefinition<typeof ADAPTER_SETTINGS> {
  return {
    name: `${provider.platform}-adapter`,
    about: `Sends requests of gateways to upstreams of the platform ${provider.platform}.`,
    settings: ADAPTER_SETTINGS,
    metrics: () => ['adapter'],
    async start(settings, { logger, metrics, tracing, parts, now: wallClock }) {
      const now = (): number => performance.now();
      const account = parts.add('account client', new InternalClient({ baseUrls: settings.TOKONE_ACCOUNT_URLS, secret: settings.TOKONE_INTERNAL_SECRET, now }), (client) => client.close());
      const client = parts.add('upstream connections', new UndiciUpstreamClient({ connectionsPerOrigin: CONNECTIONS_PER_ORIGIN, connectTimeoutMs: CONNECT_TIMEOUT_MS }), (opened) => opened.close());
      const silenceMs = settings.TOKONE_UPSTREAM_SILENCE_SECONDS * 1000;
      const adapter = new ProviderAdapter({ provider, client, now, tracing, metrics: new RegistryUpstreamMetrics(metrics, provider.platform), upstreams: new HttpUpstreamDirectory(account), answerTimeoutMs: ANSWER_TIMEOUT_MS, streamTimeoutMs: silenceMs, idleTimeoutMs: silenceMs });
      const connection = new KafkaConnection({ brokers: settings.KAFKA_BROKERS, clientId: `tokone-${provider.platform}-adapter`, topicPrefix: settings.TOKONE_KAFKA_TOPIC_PREFIX, logger, now: wallClock });
      const feed = new KafkaChangeFeed({ connection, instanceId: randomUUID(), random: Math.random, onTrouble: ({ cause, ...trouble }) => logger.warn({ ...trouble, cause: String(cause) }, 'account.changed cannot be followed; upstreams are asked for again every 5 s') });
      const following = await feed.follow({ changed: ({ groupId }) => adapter.invalidate(groupId), missedSome: () => adapter.invalidate() });
      parts.add('account.changed', following, (opened) => opened.stop());
      const front = new AdapterFront({ adapter, secret: new InternalSecret(settings.TOKONE_INTERNAL_SECRET), logger, bodyBytes: settings.TOKONE_BODY_LIMIT_BYTES, bufferedBodyBytes: BODIES_IN_MEMORY_BYTES });
      const listeners = new ServiceListeners(parts);
      const health = [HealthModule.with(new HealthChecks([accountCheck(new HttpAccountDirectory(account))], () => ({ running: front.size }))), MetricsModule.with(metrics)];
      const management = await listeners.open({ name: 'management listener', address: managementAddress(settings), modules: health });
      const internal = await listeners.open({
        name: 'internal listener',
        address: internalAddress(settings),
        modules: [],
        server: (fallThrough) => front.createServer(fallThrough),
      });
      // Before the listener closes, which would break requests that meet a closing connection.
      parts.add('dispatches', front, (draining) => draining.drain(settings.TOKONE_DRAIN_SECONDS * 1000));
      return { address: `internal ${internal.url}, management ${management.url}` };
    },
  };
}

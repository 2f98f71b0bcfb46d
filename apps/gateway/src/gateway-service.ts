import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { HttpAccountDirectory, HttpBalances } from '@tokone/account-client';
import { HttpPriceBook, HttpUsageQuery } from '@tokone/billing-client';
import { Gateway, GatewayModule, GatewayStatusModule, SpoolRecords, recordsInternal, watchSpoolIdentity } from '@tokone/gateway';
import { InternalClient, UndiciUpstreamClient } from '@tokone/http';
import { KafkaChangeFeed, KafkaConnection } from '@tokone/messaging';
import { StartupError } from '@tokone/persistence';
import { Uuid7Source } from '@tokone/protocol';
import { MetricsModule, ServiceListeners, internalAddress, internalModule, managementAddress } from '@tokone/service';
import type { RunningService, ServiceWorld } from '@tokone/service';
import type { Spool } from '@tokone/spool';
import { RegistryGatewayMetrics } from '@tokone/telemetry';
import type { GatewayMetrics, MetricService } from '@tokone/telemetry';
import { openAdapters } from './adapters.js';
import { openAdmission } from './admission.js';
import type { OpenedAdmission } from './admission.js';
import type { GatewayAdapters } from './adapters.js';
import { readAnnouncedUrl } from './announced-url.js';
import { takeSpool } from './gateway-spool.js';
import { passStart } from './passage.js';
import { ShippedLog } from './shipped-log.js';
import type { GatewaySettings } from './settings.js';

const CONNECTIONS_PER_ORIGIN = 16_384;
const CONNECT_TIMEOUT_MS = 5_000;
/** Billing may start at the same time. */
const PRICES_DEADLINE_MS = 60_000;
const PRICES_RETRY_MS = 250;

/** One gateway with what it is made of. */
interface OpenedGateway {
  gateway: Gateway;
  gatewayMetrics: GatewayMetrics;
  admission: OpenedAdmission;
  spool: Spool;
  account: InternalClient;
  upstreams: GatewayAdapters;
  kafka: KafkaConnection;
  instanceId: string;
}

/** Adapters that it hosts are measured with it. */
export function measuredServices({ TOKONE_ADAPTERS }: Pick<GatewaySettings, 'TOKONE_ADAPTERS'>): readonly MetricService[] {
  return TOKONE_ADAPTERS === 'remote' ? ['gateway'] : ['gateway', 'adapter'];
}

/** The gateway as a service of its own. @throws StartupError with a sentence for the operator. */
export async function startGateway(settings: GatewaySettings, world: ServiceWorld): Promise<RunningService> {
  const { logger, parts } = world;
  const announcedUrl = readAnnouncedUrl(settings);
  const opened = await openGateway(settings, world);
  const { gateway, gatewayMetrics, admission, spool, account, kafka, instanceId } = opened;
  const listeners = new ServiceListeners(parts);
  const management = await listeners.open({ name: 'management listener', address: managementAddress(settings), modules: [GatewayStatusModule.with(gateway, () => admission.driver.outstanding()), MetricsModule.with(world.metrics)] });
  gateway.measure(() => admission.driver.outstanding());
  const shipped = new ShippedLog();
  const records = recordsInternal(new SpoolRecords({ spool, running: gateway.running, log: shipped }));
  const routes = { controllers: [...admission.internal.controllers, ...records.controllers], providers: [...admission.internal.providers, ...records.providers] };
  const modules = [internalModule({ secret: settings.TOKONE_INTERNAL_SECRET, logger, ...routes })];
  const internal = await listeners.open({ name: 'internal listener', address: internalAddress(settings), modules });
  const identity = { gatewayId: spool.id, instanceId, url: announcedUrl ?? internal.url };
  const cursorPath = join(settings.TOKONE_SPOOL_DIR, 'shipped');
  const { replaced, shipper } = await passStart({ gateway, gatewayMetrics, admission, spool, account, kafka, identity, cursorPath }, world);
  shipped.shipper = shipper;
  await followChanges(opened, world);
  const delaySeconds = Math.min(settings.TOKONE_SHUTDOWN_DELAY_SECONDS, settings.TOKONE_DRAIN_SECONDS);
  const publicApi = await listeners.open({
    name: 'public listener',
    address: { host: settings.HOST, port: settings.PORT },
    modules: [GatewayModule.with(gateway)],
    server: (fallThrough) => gateway.createServer(fallThrough),
    // One that was replaced must take no request more: the spool is another's.
    leave: () => (world.stop.aborted ? gateway.leave(delaySeconds * 1000) : Promise.resolve()),
    drain: () => gateway.drain((settings.TOKONE_DRAIN_SECONDS - delaySeconds) * 1000),
    bodyLimitBytes: 65_536,
  });
  await gateway.open();
  return { address: `public ${publicApi.url}, internal ${internal.url}, management ${management.url}`, failed: replaced };
}

/** Everything that a gateway needs, with its drivers; nothing is served yet. */
async function openGateway(settings: GatewaySettings, world: ServiceWorld): Promise<OpenedGateway> {
  const { logger, parts, now } = world;
  const gatewayMetrics = new RegistryGatewayMetrics(world.metrics);
  const monotonicNow = (): number => performance.now();
  const secret = settings.TOKONE_INTERNAL_SECRET;
  const account = parts.add('account client', new InternalClient({ baseUrls: settings.TOKONE_ACCOUNT_URLS, secret, now: monotonicNow }), (client) => client.close());
  const billing = parts.add('billing client', new InternalClient({ baseUrls: settings.TOKONE_BILLING_URLS, secret, now: monotonicNow }), (client) => client.close());
  const client = parts.add('adapter connections', new UndiciUpstreamClient({ connectionsPerOrigin: CONNECTIONS_PER_ORIGIN, connectTimeoutMs: CONNECT_TIMEOUT_MS }), (pools) => pools.close());
  const upstreams = openAdapters(settings, { client, account, now: monotonicNow, metrics: world.metrics, tracing: world.tracing });
  const spool = parts.add('spool', await takeSpool(settings, { ...world, gatewayMetrics }), (log) => log.close());
  await watchSpoolIdentity(spool, settings.TOKONE_SPOOL_DIR, { logger, metrics: gatewayMetrics });
  const prices = parts.add('price book', new HttpPriceBook({ client: billing, log: logger }), (book) => book.stop());
  await parts.whileWanted(loadPrices(prices));
  const balances = new HttpBalances(account);
  const admission = await openAdmission(settings, { ...world, gatewayId: spool.id });
  const ports = { accounts: new HttpAccountDirectory(account), balances, admission: admission.driver, prices, usage: new HttpUsageQuery(billing), adapters: upstreams.adapters, spool, ids: new Uuid7Source(now), logger, now, monotonicNow };
  const limits = { bodyBytes: settings.TOKONE_BODY_LIMIT_BYTES, referenceTokens: settings.TOKONE_REFERENCE_TOKENS, stallTimeoutMs: settings.TOKONE_STALL_SECONDS * 1000 };
  const gateway = parts.add('gateway', new Gateway(ports, { pepper: settings.TOKONE_KEY_PEPPER, limits, metrics: gatewayMetrics, tracing: world.tracing }), (running) => running.close());
  const instanceId = randomUUID();
  const kafka = new KafkaConnection({ brokers: settings.KAFKA_BROKERS, clientId: `tokone-gateway-${instanceId}`, topicPrefix: settings.TOKONE_KAFKA_TOPIC_PREFIX, logger, now });
  return { gateway, gatewayMetrics, admission, spool, account, upstreams, kafka, instanceId };
}

async function loadPrices(prices: HttpPriceBook): Promise<void> {
  const deadline = AbortSignal.timeout(PRICES_DEADLINE_MS);
  for (;;) {
    try {
      return await prices.start();
    } catch (cause) {
      if (deadline.aborted) throw new StartupError('The billing service does not tell its prices. Start it, and see TOKONE_BILLING_URLS.', { cause });
      await delay(PRICES_RETRY_MS);
    }
  }
}

/** Keys, groups and upstreams are fresh at once when they change. */
async function followChanges({ gateway, upstreams, kafka, instanceId }: OpenedGateway, { parts, logger }: ServiceWorld): Promise<void> {
  const feed = new KafkaChangeFeed({ connection: kafka, instanceId, random: Math.random, onTrouble: ({ cause, ...trouble }) => logger.warn({ ...trouble, cause: String(cause) }, 'account.changed cannot be followed; keys are checked again every 5 s') });
  const following = await feed.follow({
    changed: (event) => {
      gateway.accountChanged(event);
      upstreams.invalidate(event.groupId);
    },
    missedSome: () => {
      gateway.missedChanges();
      upstreams.invalidate();
    },
  });
  parts.add('account.changed', following, (opened) => opened.stop());
}

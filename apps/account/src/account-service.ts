import { randomUUID } from 'node:crypto';
import { ACCOUNT_SCHEMA, AccountFeature, AccountModule, ChangePublication, LedgerFence, LedgerService, MeasuredFence, PostedCursors, accountInternal, checkAccountTables, countedAlarms } from '@tokone/account';
import type { RaiseAlarm } from '@tokone/account';
import { HttpChargeStatements, HttpOutbox } from '@tokone/billing-client';
import { InternalClient } from '@tokone/http';
import { CarefulProducer, KafkaChangePublisher, KafkaChargeLog, KafkaConnection, Watermarks } from '@tokone/messaging';
import { openDatabase, openPool } from '@tokone/persistence';
import { Uuid7Source } from '@tokone/protocol';
import { HealthChecks, HealthModule, MetricsModule, ServiceListeners, databaseCheck, internalAddress, internalModule, logAlarm, managementAddress } from '@tokone/service';
import type { RunningService, ServiceWorld } from '@tokone/service';
import { RegistryAccountMetrics, showLag } from '@tokone/telemetry';
import { startReconciliation } from './reconciliation.js';
import { openSharedAdmission, startOpenings } from './shared-admission.js';
import type { AccountSettings } from './settings.js';

const STATEMENT_TIMEOUT_MS = 5_000;
/** Below the deadline of a publication, so that it is the producer that gives up. */
const SEND_DEADLINE_MS = 2_500;

/** Keys, groups, upstreams, ledger, and the fence of admission. Any number of these may run. */
export async function startAccount(settings: AccountSettings, world: ServiceWorld): Promise<RunningService> {
  const { logger, parts, now } = world;
  const feature = await openFeature(settings, world);
  const { pool, raiseAlarm } = feature.parts;
  const connection = new KafkaConnection({ brokers: settings.KAFKA_BROKERS, clientId: `tokone-account-${randomUUID()}`, topicPrefix: settings.TOKONE_KAFKA_TOPIC_PREFIX, logger, now });
  const monotonicNow = (): number => performance.now();
  const billing = parts.add('billing client', new InternalClient({ baseUrls: settings.TOKONE_BILLING_URLS, secret: settings.TOKONE_INTERNAL_SECRET, now: monotonicNow }), (client) => client.close());
  const admission = await openSharedAdmission(settings, world);
  const onTrouble = ({ cause, ...trouble }: { cause: unknown }): void => {
    logger.error({ ...trouble, cause: String(cause) }, 'charges could not be posted; it is tried again');
    feature.metrics.alarm('posting_failed');
  };
  const charges = new KafkaChargeLog({ connection, cursors: new PostedCursors(pool), random: Math.random, onTrouble });
  const ledger = new LedgerService({ feature, charges, admission: admission.posts, view: admission.view, tracing: world.tracing });
  await ledger.start();
  parts.add('ledger', ledger, (opened) => opened.stop());
  publishChanges(feature, connection, { parts, raiseAlarm });
  const watermarks = parts.add('watermarks', new Watermarks(connection), (opened) => opened.close());
  showLag(world.metrics, 'acct_lag_records', () => watermarks.lag('account', 'charge.rated'));
  const fence = new MeasuredFence(new LedgerFence({ watermarks, outbox: new HttpOutbox(billing), now: monotonicNow }), feature.metrics);
  const { openings, gateways, clients } = startOpenings(settings, { world, feature, ledger, admission, fence });
  const reconciliation = startReconciliation({ feature, billing, accounts: admission.accounts, clients, watermarks }, world);
  const listeners = new ServiceListeners(parts);
  const management = await listeners.open({
    name: 'management listener',
    address: managementAddress(settings),
    modules: [AccountModule.with({ feature, ledger, reconciliation, operatorToken: settings.TOKONE_OPERATOR_TOKEN, billed: new HttpChargeStatements(billing) }), HealthModule.with(new HealthChecks([databaseCheck(pool, 'account')], () => ({ redis: admission.connected() ? 'connected' : 'not connected' }))), MetricsModule.with(world.metrics)],
  });
  const modules = [internalModule({ secret: settings.TOKONE_INTERNAL_SECRET, logger, ...accountInternal({ feature, gateways, openings }) })];
  const internal = await listeners.open({ name: 'internal listener', address: internalAddress(settings), modules });
  return { address: `internal ${internal.url}, management ${management.url}` };
}

async function openFeature(settings: AccountSettings, { parts, logger, metrics, now }: ServiceWorld): Promise<AccountFeature> {
  const connections = { url: settings.DATABASE_URL, statementTimeoutMs: STATEMENT_TIMEOUT_MS };
  const database = parts.add('account tables', await openDatabase({ ...connections, ...ACCOUNT_SCHEMA, poolSize: 4, applicationName: 'tokone account' }), (opened) => opened.destroy());
  const pool = parts.add('account connections', openPool({ ...connections, poolSize: 8, applicationName: 'tokone ledger' }), (opened) => opened.end());
  await checkAccountTables(pool);
  const accountMetrics = new RegistryAccountMetrics(metrics);
  const raiseAlarm = countedAlarms((alarm) => logAlarm(logger, alarm), accountMetrics);
  const { TOKONE_KEY_PEPPER: pepper, TOKONE_SEALING_KEY: sealingKey, TOKONE_KEY_PREFIX: keyPrefix } = settings;
  return new AccountFeature({ database, pool, pepper, sealingKey, keyPrefix, ids: new Uuid7Source(now), raiseAlarm, metrics: accountMetrics });
}

/** Readers of keys, groups and upstreams hear of changes at once. */
function publishChanges({ parts: { pool } }: AccountFeature, connection: KafkaConnection, { parts, raiseAlarm }: Pick<ServiceWorld, 'parts'> & { raiseAlarm: RaiseAlarm }): void {
  const publisher = new KafkaChangePublisher({ connection, producer: new CarefulProducer(connection, { sendDeadlineMs: SEND_DEADLINE_MS }) });
  const publication = new ChangePublication({ pool, publisher, raiseAlarm });
  publication.start();
  parts.add('account.changed', publication, async (running) => {
    await running.stop();
    await publisher.close();
  });
}

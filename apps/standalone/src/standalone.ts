import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ACCOUNT_SCHEMA, AccountFeature, LedgerService, countedAlarms } from '@tokone/account';
import type { BilledCharges } from '@tokone/account';
import { ProviderAdapter } from '@tokone/adapter-kit';
import { MemoryAdmission } from '@tokone/admission';
import { anthropicProvider } from '@tokone/anthropic-provider';
import { openBilling, writeChargeStatement } from '@tokone/billing';
import type { Billing } from '@tokone/billing';
import { Gateway, watchSpoolIdentity } from '@tokone/gateway';
import type { GatewayPorts } from '@tokone/gateway';
import { geminiProvider } from '@tokone/gemini-provider';
import { UndiciUpstreamClient } from '@tokone/http';
import { CursorFile, SpoolEventLog, TalliedEventLog } from '@tokone/messaging';
import { openaiProvider } from '@tokone/openai-provider';
import { StartupError, isTransient, openDatabase, openPool, runMigrations } from '@tokone/persistence';
import { Uuid7Source } from '@tokone/protocol';
import { upstreamTargets, writeQuickstartEnv } from '@tokone/quickstart';
import type { QuickstartKeys, UpstreamTarget } from '@tokone/quickstart';
import { Spool } from '@tokone/spool';
import type { SpoolAlarm } from '@tokone/spool';
import { METRIC_SERVICES, RegistryAccountMetrics, RegistryBillingMetrics, RegistryGatewayMetrics, RegistryUpstreamMetrics, ServiceMetrics, showLag } from '@tokone/telemetry';
import type { GatewayMetrics, Logger } from '@tokone/telemetry';
import { layFoundation } from './foundation.js';
import { startManagement, startPublicApi } from './http-servers.js';
import { startReconciliation } from './reconciliation.js';
import { OpenedParts, logAlarm, openTracing, writePrivateFile } from '@tokone/service';
import { ensureQuickstart } from './quickstart.js';
import type { StandaloneSettings } from './settings.js';
import { explainStartFailure } from './start-failure.js';

export interface Standalone {
  baseUrl: string;
  targets: readonly UpstreamTarget[];
  quickstart: QuickstartKeys;
  /** Resolves when PostgreSQL ended although nobody asked it to. */
  databaseLost: Promise<void>;
  /** Drains and gives everything back, in the reverse order of its making. */
  stop(): Promise<void>;
}

/** Everything that a crash left behind must be rated and posted before a balance is read. */
const CATCH_UP_DEADLINE_MS = 120_000;
const ACCOUNT_STATEMENT_TIMEOUT_MS = 5_000;

/** How long the end of a killed PostgreSQL may be unknown after the first statement that failed because of it. */
const EXIT_NOTICE_MS = 1_000;

export interface StandaloneWorld {
  logger: Logger;
  /** Aborts when somebody asks to stop. A start that is under way ends then, in order, and rejects with its reason. */
  stop: AbortSignal;
}

/**
 * All modules in one process, on an embedded PostgreSQL, with the spool itself as the event log.
 * @throws StartupError with a sentence for the operator; whatever was opened is closed again.
 */
export async function startStandalone(settings: StandaloneSettings, { logger, stop }: StandaloneWorld): Promise<Standalone> {
  const databaseLost = new AbortController();
  const unwanted = AbortSignal.any([stop, databaseLost.signal]);
  const parts = new OpenedParts(logger, unwanted);
  try {
    return await start(settings, { logger, parts, databaseLost });
  } catch (error) {
    if (isTransient(error)) await delay(EXIT_NOTICE_MS, undefined, { signal: unwanted }).catch(() => undefined);
    const reason: unknown = unwanted.aborted ? unwanted.reason : explainStartFailure(error, settings.TOKONE_DATA_DIR);
    await parts.close();
    throw reason;
  }
}

interface StartParts {
  logger: Logger;
  parts: OpenedParts;
  databaseLost: AbortController;
}

async function start(settings: StandaloneSettings, { logger, parts, databaseLost }: StartParts): Promise<Standalone> {
  const dataFolder = settings.TOKONE_DATA_DIR;
  const now = () => Date.now();
  /** For durations: a correction of the wall clock must not make anything older or younger. */
  const monotonicNow = () => performance.now();
  const ids = new Uuid7Source(now);
  const metrics = parts.add('metrics', new ServiceMetrics(METRIC_SERVICES), (opened) => opened.close());
  const tracing = parts.add('tracing', await openTracing('standalone', settings, { logger, metrics }), (opened) => opened.close());
  const [gatewayMetrics, billingMetrics] = [new RegistryGatewayMetrics(metrics), new RegistryBillingMetrics(metrics)];
  const { secrets, database, simulator } = await layFoundation(settings, { logger, parts });
  void database.exited.then(() => databaseLost.abort(new StartupError(`PostgreSQL ended by itself: ${join(dataFolder, 'postgres.log')} says why. Start TokOne again.`)));
  const billing = parts.add('billing', await openBilling({ databaseUrl: database.url, log: logger, metrics: billingMetrics, tracing, now, operatorPrices: settings.TOKONE_PRICES_FILE }), (opened) => opened.stop());
  const feature = await openAccounts({ databaseUrl: database.url, settings, secrets, parts, logger, metrics, ids });
  const targets = upstreamTargets(settings, simulator.url);
  const quickstart = await ensureQuickstart(feature, dataFolder, targets);
  const admission = new MemoryAdmission({ balances: feature.balances, now: monotonicNow });
  const ledger = new LedgerService({ feature, admission, view: { unposted: () => admission.unposted(2_000) }, charges: billing.chargeLog, tracing });
  const spool = parts.add('spool', await openSpool(dataFolder, { settings, logger, metrics: gatewayMetrics, now }), (opened) => opened.close());
  await watchSpoolIdentity(spool, dataFolder, { logger, metrics: gatewayMetrics });
  const client = parts.add('upstream connections', new UndiciUpstreamClient({ connectionsPerOrigin: 16_384, connectTimeoutMs: 5_000 }), (opened) => opened.close());
  const silenceMs = settings.TOKONE_UPSTREAM_SILENCE_SECONDS * 1000;
  const adapterOptions = { tracing, upstreams: feature.upstreams, client, now: monotonicNow, answerTimeoutMs: 600_000, streamTimeoutMs: silenceMs, idleTimeoutMs: silenceMs };
  const ports: GatewayPorts = {
    accounts: feature.directory,
    balances: feature.balances,
    admission,
    prices: billing.priceBook,
    usage: billing.usageQuery,
    adapters: new Map([openaiProvider, anthropicProvider, geminiProvider].map((provider) => [provider.platform, new ProviderAdapter({ ...adapterOptions, metrics: new RegistryUpstreamMetrics(metrics, provider.platform), provider })])),
    spool,
    ids,
    logger,
    now,
    monotonicNow,
  };
  const limits = { bodyBytes: settings.TOKONE_BODY_LIMIT_BYTES, referenceTokens: settings.TOKONE_REFERENCE_TOKENS, stallTimeoutMs: settings.TOKONE_STALL_SECONDS * 1000 };
  const gateway = parts.add('gateway', new Gateway(ports, { pepper: secrets.pepper, limits, metrics: gatewayMetrics, tracing }), (opened) => opened.close());
  gateway.measure(() => admission.outstanding());
  showLag(metrics, 'bill_lag_records', () => Promise.resolve(new Map([['spool', spool.unacknowledged.records]])));
  gateway.adoptOrphans();
  await parts.whileWanted(gateway.recover());
  await ledger.start();
  parts.add('ledger', ledger, () => ledger.stop());
  const onTrouble = ({ cause, ...trouble }: { cause: unknown }): void => {
    logger.error({ ...trouble, cause: String(cause) }, 'usage could not be rated; it is tried again');
    billingMetrics.alarm('rating_failed');
  };
  const log = new TalliedEventLog({ spool, log: new SpoolEventLog(spool, { random: Math.random, onTrouble }), cursorFile: new CursorFile(join(dataFolder, 'rated')), now });
  const rating = await billing.startRating(log);
  parts.add('rating', rating, () => rating.stop());
  await parts.whileWanted(rating.caughtUp(CATCH_UP_DEADLINE_MS));
  await parts.whileWanted(ledger.caughtUp(CATCH_UP_DEADLINE_MS));
  const reconciliation = startReconciliation({ feature, billing, ledger, admission, gateway, log, rating }, { parts, logger });
  await startManagement({ metrics, port: settings.MANAGEMENT_PORT, feature, ledger, reconciliation, operatorToken: secrets.operatorToken, billed: billedBy(billing), dataFolder, parts, gateway, holds: () => admission.outstanding() });
  const publicApi = await startPublicApi({ gateway, host: settings.HOST, port: settings.PORT, drainMs: settings.TOKONE_DRAIN_SECONDS * 1000, parts });
  await gateway.open();
  const env = { baseUrl: publicApi.baseUrl, keys: quickstart.keys, simulatorUrl: simulator.url, databaseUrl: database.url };
  await writePrivateFile(quickstart.path, writeQuickstartEnv(env));
  return {
    baseUrl: publicApi.baseUrl,
    targets,
    quickstart,
    databaseLost: database.exited.then(() => undefined),
    stop: () => parts.close(),
  };
}

function billedBy({ chargeStatements, waiver }: Billing): BilledCharges {
  return {
    async explain(requestId) {
      const statement = await chargeStatements.explainCharge(requestId);
      return statement && writeChargeStatement(statement);
    },
    waive: (requestId, reason) => waiver.waive(requestId, reason),
  };
}

interface AccountParts {
  databaseUrl: string;
  settings: StandaloneSettings;
  secrets: { pepper: Buffer; sealingKey: Buffer };
  parts: OpenedParts;
  logger: Logger;
  metrics: ServiceMetrics;
  ids: Uuid7Source;
}

async function openAccounts({ databaseUrl: url, settings, secrets, parts, logger, metrics, ids }: AccountParts): Promise<AccountFeature> {
  const statementTimeoutMs = ACCOUNT_STATEMENT_TIMEOUT_MS;
  const database = parts.add('account tables', await openDatabase({ url, ...ACCOUNT_SCHEMA, poolSize: 4, statementTimeoutMs, applicationName: 'tokone account' }), (opened) => opened.destroy());
  await runMigrations(database);
  const pool = parts.add('account connections', openPool({ url, poolSize: 8, statementTimeoutMs, applicationName: 'tokone ledger' }), (opened) => opened.end());
  const accountMetrics = new RegistryAccountMetrics(metrics);
  const raiseAlarm = countedAlarms((alarm) => logAlarm(logger, alarm), accountMetrics);
  return new AccountFeature({ database, pool, ...secrets, keyPrefix: settings.TOKONE_KEY_PREFIX, ids, raiseAlarm, metrics: accountMetrics });
}

async function openSpool(dataFolder: string, { settings, logger, metrics, now }: { settings: StandaloneSettings; logger: Logger; metrics: GatewayMetrics; now: () => number }): Promise<Spool> {
  const folder = join(dataFolder, 'spool');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const onAlarm = (alarm: SpoolAlarm): void => {
    logger.error({ ...alarm }, 'alarm: spool');
    metrics.alarm(alarm.kind);
  };
  return Spool.open({ folder, now, strict: settings.TOKONE_SPOOL_STRICT === 'yes', meter: metrics.spool, onAlarm });
}

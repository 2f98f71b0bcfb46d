import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ACCOUNT_SCHEMA, AccountFeature, LedgerService } from '@tokone/account';
import { ProviderAdapter } from '@tokone/adapter-kit';
import { MemoryAdmission } from '@tokone/admission';
import { anthropicProvider } from '@tokone/anthropic-provider';
import { openBilling } from '@tokone/billing';
import { Gateway } from '@tokone/gateway';
import type { GatewayPorts } from '@tokone/gateway';
import { geminiProvider } from '@tokone/gemini-provider';
import { UndiciUpstreamClient } from '@tokone/http';
import { SpoolEventLog } from '@tokone/messaging';
import { openaiProvider } from '@tokone/openai-provider';
import { lockFolder, openDatabase, openPool, runMigrations, startEmbeddedPostgres } from '@tokone/persistence';
import { Uuid7Source } from '@tokone/protocol';
import { Spool } from '@tokone/spool';
import type { Logger } from '@tokone/telemetry';
import { logAlarms } from './alarms.js';
import { startManagement, startPublicApi } from './http-servers.js';
import { OpenedParts } from './opened-parts.js';
import { ensureQuickstart, writeQuickstartEnv } from './quickstart.js';
import type { QuickstartKeys } from './quickstart.js';
import { readSecrets } from './secrets.js';
import type { StandaloneSettings } from './settings.js';
import { startSimulatorProcess } from './simulator-process.js';
import { upstreamTargets } from './upstream-targets.js';
import type { UpstreamTarget } from './upstream-targets.js';

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

/** All modules in one process, on an embedded PostgreSQL, with the spool itself as the event log. */
export async function startStandalone(settings: StandaloneSettings, logger: Logger): Promise<Standalone> {
  const parts = new OpenedParts(logger);
  try {
    return await start(settings, { logger, parts });
  } catch (error) {
    await parts.close();
    throw error;
  }
}

async function start(settings: StandaloneSettings, { logger, parts }: { logger: Logger; parts: OpenedParts }): Promise<Standalone> {
  const dataFolder = resolve(settings.TOKONE_DATA_DIR);
  const now = () => Date.now();
  const ids = new Uuid7Source(now);
  const lock = parts.add('lock', await lockFolder(dataFolder), (held) => held.release());
  const secrets = await readSecrets(dataFolder);
  const [database, simulator] = await Promise.all([
    startEmbeddedPostgres({ dataFolder, lock }).then((server) => parts.add('PostgreSQL', server, () => server.stop())),
    startSimulatorProcess(dataFolder).then((process) => parts.add('simulator', process, () => process.stop())),
  ]);
  const billing = parts.add('billing', await openBilling({ databaseUrl: database.url, log: logger, now }), (opened) => opened.stop());
  const feature = await openAccounts({ databaseUrl: database.url, settings, secrets, parts, logger, ids });
  const targets = upstreamTargets(settings, simulator.url);
  const quickstart = await ensureQuickstart(feature, dataFolder, targets);
  const admission = new MemoryAdmission({ balances: feature.balances, now });
  const ledger = new LedgerService({ feature, admission, view: { unposted: () => admission.unposted(2_000) }, charges: billing.chargeLog });
  const spool = parts.add('spool', await openSpool(dataFolder, { settings, logger, now }), (opened) => opened.close());
  const client = parts.add('upstream connections', new UndiciUpstreamClient({ connectionsPerOrigin: 16_384, connectTimeoutMs: 5_000 }), (opened) => opened.close());
  const adapterOptions = { upstreams: feature.upstreams, client, now, answerTimeoutMs: 600_000, streamTimeoutMs: 120_000, idleTimeoutMs: 120_000 };
  const ports: GatewayPorts = {
    accounts: feature.directory,
    balances: { balanceOf: async (accountId) => (await feature.balances.read(accountId))?.balanceNanoUsd ?? 0n },
    admission,
    prices: billing.priceBook,
    usage: billing.usageQuery,
    adapters: new Map([openaiProvider, anthropicProvider, geminiProvider].map((provider) => [provider.platform, new ProviderAdapter({ ...adapterOptions, provider })])),
    spool,
    ids,
    logger,
    now,
  };
  const gateway = parts.add('gateway', new Gateway(ports, { pepper: secrets.pepper, limits: { bodyBytes: settings.TOKONE_BODY_LIMIT_BYTES, referenceTokens: settings.TOKONE_REFERENCE_TOKENS } }), (opened) => opened.close());
  await gateway.recover();
  await ledger.start();
  parts.add('ledger', ledger, () => ledger.stop());
  const rating = await billing.startRating(new SpoolEventLog(spool, { random: Math.random, onTrouble: (trouble) => logger.error({ ...trouble, cause: String(trouble.cause) }, 'usage could not be rated; it is tried again') }));
  parts.add('rating', rating, () => rating.stop());
  await rating.caughtUp(CATCH_UP_DEADLINE_MS);
  await ledger.caughtUp(CATCH_UP_DEADLINE_MS);
  await startManagement({ feature, ledger, operatorToken: secrets.operatorToken, explainCharge: (id) => billing.chargeStatements.explainCharge(id), dataFolder, parts, gateway, holds: () => admission.outstanding() });
  const publicApi = await startPublicApi({ gateway, host: settings.HOST, port: settings.PORT, drainMs: settings.TOKONE_DRAIN_SECONDS * 1000, parts });
  await gateway.open();
  await writeQuickstartEnv(quickstart, { baseUrl: publicApi.baseUrl, simulatorUrl: simulator.url, databaseUrl: database.url });
  return {
    baseUrl: publicApi.baseUrl,
    targets,
    quickstart,
    databaseLost: database.exited.then(() => undefined),
    stop: () => parts.close(),
  };
}

interface AccountParts {
  databaseUrl: string;
  settings: StandaloneSettings;
  secrets: { pepper: Buffer; sealingKey: Buffer };
  parts: OpenedParts;
  logger: Logger;
  ids: Uuid7Source;
}

async function openAccounts({ databaseUrl: url, settings, secrets, parts, logger, ids }: AccountParts): Promise<AccountFeature> {
  const statementTimeoutMs = ACCOUNT_STATEMENT_TIMEOUT_MS;
  const database = parts.add('account tables', await openDatabase({ url, ...ACCOUNT_SCHEMA, poolSize: 4, statementTimeoutMs, applicationName: 'tokone account' }), (opened) => opened.destroy());
  await runMigrations(database);
  const pool = parts.add('account connections', openPool({ url, poolSize: 8, statementTimeoutMs, applicationName: 'tokone ledger' }), (opened) => opened.end());
  return new AccountFeature({ database, pool, ...secrets, keyPrefix: settings.TOKONE_KEY_PREFIX, ids, raiseAlarm: logAlarms(logger) });
}

async function openSpool(dataFolder: string, { settings, logger, now }: { settings: StandaloneSettings; logger: Logger; now: () => number }): Promise<Spool> {
  const folder = join(dataFolder, 'spool');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return Spool.open({ folder, now, strict: settings.TOKONE_SPOOL_STRICT === 'yes', onAlarm: (alarm) => logger.error({ ...alarm }, 'alarm: spool') });
}

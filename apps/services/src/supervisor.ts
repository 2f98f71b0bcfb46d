import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { StartupError, lockFolder } from '@tokone/persistence';
import { KeptSimulator, readQuickstartKeys, readSecrets, upstreamTargets, writeQuickstartEnv } from '@tokone/quickstart';
import type { QuickstartKeys, UpstreamTarget } from '@tokone/quickstart';
import { OpenedParts, checkAddress, readFileIfThere, urlOf, writePrivateFile } from '@tokone/service';
import { createLogger } from '@tokone/telemetry';
import { Balancer, PortClaim } from '@tokone/testing';
import { openServers } from './local-servers.js';
import type { Narrator } from './narrator.js';
import { prepareDeployment } from './preparation.js';
import { planServices } from './service-plan.js';
import type { PlannedService } from './service-plan.js';
import type { SupervisorSettings } from './settings.js';
import { SupervisedProcess } from './supervised-process.js';

export interface RunningDeployment {
  baseUrl: string;
  targets: readonly UpstreamTarget[];
  quickstart: QuickstartKeys;
  /** Resolves with a sentence when a server that was started here has ended. */
  failed: Promise<string>;
  /** Stops all services in order, then the servers. */
  stop(): Promise<void>;
}

/** Longer than a gateway's drain: whoever stops the supervisor kills it after a minute. */
const STOP_GRACE_MS = 55_000;

/**
 * Servers and services as processes of this machine. @throws StartupError with a sentence; whatever was started is
 * stopped again.
 */
export async function startServices(settings: SupervisorSettings, world: { stop: AbortSignal; narrator: Narrator; gateways: number }): Promise<RunningDeployment> {
  const logger = createLogger('services', settings.LOG_LEVEL);
  const parts = new OpenedParts(logger, world.stop);
  try {
    return await start(settings, { parts, narrator: world.narrator, gateways: world.gateways, logger });
  } catch (error) {
    await parts.close();
    throw world.stop.aborted ? world.stop.reason : error;
  }
}

interface StartWorld {
  gateways: number;
  parts: OpenedParts;
  narrator: Narrator;
  logger: ReturnType<typeof createLogger>;
}

async function start(settings: SupervisorSettings, { parts, narrator, gateways, logger }: StartWorld): Promise<RunningDeployment> {
  const dataFolder = settings.TOKONE_DATA_DIR;
  const folder = join(dataFolder, 'services');
  parts.add('lock', await lockFolder(dataFolder), (held) => held.release());
  await checkAddress({ host: settings.HOST, port: settings.PORT });
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const secrets = { ...(await readSecrets(folder)), internal: await keptSecret(join(folder, 'internal-secret')) };
  const servers = await openServers(settings, { folder, parts, narrator });
  const lost = servers.ended.then((sentence): never => {
    throw new StartupError(sentence);
  });
  lost.catch(() => undefined);
  const whileServed: Wait = (work) => parts.whileWanted(Promise.race([work, lost]));
  const simulator = parts.add('simulator', await KeptSimulator.start(folder, logger), (kept) => kept.stop());
  const targets = upstreamTargets(settings, simulator.url);
  const path = join(dataFolder, 'quickstart.env');
  const known = readQuickstartKeys((await readFileIfThere(path)) ?? '');
  const passwords = { account: await keptSecret(join(folder, 'account-password')), billing: await keptSecret(join(folder, 'billing-password')) };
  narrator.say('Preparing database and topics …');
  const prepared = await whileServed(prepareDeployment({ settings, servers, secrets, passwords, targets, known }));
  const ports = parts.add('ports', new PortClaim(settings.PORT), (claim) => claim.release());
  const plan = await planServices(settings, { servicesFolder: folder, kafkaBrokers: servers.kafkaBrokers, redisUrl: servers.redisUrl, gateways, ...prepared.databases, secrets }, () => ports.choose());
  narrator.say(`Starting ${plan.length} services …`);
  const balancerUrl = gateways > 1 ? await openBalancer(settings, plan, parts) : undefined;
  const processes = await startAll(plan, { parts, narrator, whileServed, notePath: join(dataFolder, 'services.json') });
  const baseUrl = balancerUrl ?? publicUrlOf(settings, processes.gatewayAddress);
  const [url, ...otherUrls] = plan.filter(({ app }) => app === 'account').map(({ managementUrl }) => managementUrl);
  const notePath = join(dataFolder, 'operator.json');
  await writePrivateFile(notePath, `${JSON.stringify({ url, otherUrls, token: secrets.operatorToken })}\n`);
  // A note that stays would send the operator's token to whoever takes the port next.
  parts.add('operator.json', notePath, (note) => rm(note, { force: true }));
  const { keys, created } = prepared;
  await writePrivateFile(path, writeQuickstartEnv({ baseUrl, keys, simulatorUrl: simulator.url, ...servers }));
  return { baseUrl, targets, quickstart: { path, keys, created }, failed: servers.ended, stop: () => parts.close() };
}

/** The result of `work`, unless somebody asks to stop, or a server ends: services would wait for it in vain. */
type Wait = <Result>(work: Promise<Result>) => Promise<Result>;

interface StartAll {
  parts: OpenedParts;
  narrator: Narrator;
  whileServed: Wait;
  /** Names, process ids and addresses, for who looks after single services. */
  notePath: string;
}

/** All at once: each waits for those that it needs. They are stopped tier by tier, gateways first. */
async function startAll(plan: readonly PlannedService[], { parts, narrator, whileServed, notePath }: StartAll): Promise<{ gatewayAddress: string }> {
  const running: SupervisedProcess[] = [];
  let writing: Promise<void> = Promise.resolve();
  const note = (): void => {
    writing = writing.then(() => writePrivateFile(notePath, `${JSON.stringify(running.map(describe), undefined, 2)}\n`)).catch(() => undefined);
  };
  parts.add('services.json', notePath, (path) => writing.then(() => rm(path, { force: true })));
  const starts: Promise<string>[] = [];
  for (const tier of [['account', 'billing'], ['openai-adapter', 'anthropic-adapter', 'gemini-adapter'], ['gateway']]) {
    const services = plan.filter(({ app }) => tier.includes(app)).map((service) => new SupervisedProcess({ service, narrator, changed: note }));
    running.push(...services);
    parts.add(tier.join(', '), services, () => Promise.all(services.map((service) => service.stop(STOP_GRACE_MS))));
    starts.push(...services.map((service) => service.start()));
  }
  const addresses = await whileServed(Promise.all(starts));
  return { gatewayAddress: addresses.at(-1) ?? '' };
}

/** The public address of several gateways. Opened before them and closed behind them: what they let end goes through it. */
async function openBalancer({ HOST: host, PORT: port }: SupervisorSettings, plan: readonly PlannedService[], parts: OpenedParts): Promise<string> {
  const targets = plan.flatMap(({ publicPort, managementUrl }) => (publicPort === undefined ? [] : [{ host: '127.0.0.1', port: publicPort, managementUrl }]));
  const balancer = parts.add('balancer', await Balancer.start({ host, port, targets }), (opened) => opened.close());
  return balancer.url;
}

function describe(process: SupervisedProcess): object {
  const { app, name, internalUrl, managementUrl } = process.service;
  return { app, name, processId: process.processId ?? null, internalUrl, managementUrl };
}

/** The gateway's ready line begins with the address for tenants. */
function publicUrlOf({ HOST, PORT }: SupervisorSettings, address: string): string {
  return /^public (\S+?),/.exec(address)?.[1] ?? urlOf(HOST, PORT);
}

/** Random on the first start, kept with mode 0600. */
async function keptSecret(path: string): Promise<string> {
  const kept = (await readFileIfThere(path))?.trim();
  if (kept !== undefined && kept.length >= 32) return kept;
  const secret = randomBytes(32).toString('hex');
  await writePrivateFile(path, `${secret}\n`);
  return secret;
}

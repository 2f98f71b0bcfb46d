import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { ChildProgram } from './child-program.js';
import { callManagement, holdsOf, makeTenant, readReadiness } from './management.js';
import type { JsonAnswer } from './management.js';
import type { GroupName, HoldsReport, ManagementListener, ManagementMethod, Product, ProductOptions, Tenant } from './product.js';
import { createDatabase } from './servers/test-database.js';
import { testServers } from './servers/test-servers.js';
import { readQuickstart } from './standalone.js';
import type { QuickstartAddresses } from './standalone.js';
import { readStoredHolds } from './stored-holds.js';
import { makeTemporaryFolder } from './temporary-folder.js';
import { waitFor } from './wait-for.js';

export interface ServicesOptions extends ProductOptions {
  /** Processes of billing, of account and of each adapter; default 1. */
  replicas?: number;
  /** Servers of the test's own, instead of those that the whole run shares. */
  servers?: { kafkaBrokers?: readonly string[]; databaseUrl?: string; redisUrl?: string };
}

/** One process of the deployment, as its supervisor describes it. */
export interface ServiceNote {
  app: string;
  name: string;
  processId: number | null;
  internalUrl: string;
  managementUrl: string;
}

const READY_DEADLINE_MS = 180_000;
const GATEWAYS = 2;
/** A dozen processes share two processors with whatever else is tested. What a late answer does is shown in specs of its own. */
const PATIENCE_MS = '2000';

/** Where its events go. */
export interface KafkaPlace {
  brokers: readonly string[];
  /** In front of every topic and group. */
  topicPrefix: string;
}

/** Where its balances are. */
export interface RedisPlace {
  url: string;
  /** In front of every key. */
  prefix: string;
}

/** What a deployment stands on, released with it. */
interface Ground {
  kafka: KafkaPlace;
  redis: RedisPlace;
  env: Record<string, string>;
  release(): Promise<void>;
}

/** TokOne as separate services, started as `npm run start:services` does, on real servers. */
export class ServicesProcess implements Product {
  private constructor(
    readonly program: ChildProgram,
    readonly dataFolder: string,
    readonly addresses: QuickstartAddresses,
    private readonly ground: Ground & { gateways: number },
    private readonly releaseGround: () => Promise<void>,
  ) {}

  static async start(options: ServicesOptions = {}): Promise<ServicesProcess> {
    const folder = options.dataFolder === undefined ? await makeTemporaryFolder('services') : undefined;
    const dataFolder = options.dataFolder ?? folder?.path ?? '';
    const ground = await layGround(options);
    const gateways = options.gateways ?? GATEWAYS;
    const release = async (): Promise<void> => {
      await ground.release();
      await folder?.remove();
    };
    const env = { PORT: '0', LOG_LEVEL: 'error', TOKONE_DATA_DIR: dataFolder, TOKONE_REPLICAS: String(options.replicas ?? 1), TOKONE_ADMISSION_TIMEOUT_MS: PATIENCE_MS, ...ground.env, ...options.env };
    const program = new ChildProgram({ main: 'apps/services/dist/main.js', args: ['--gateways', String(gateways)], env, ownGroup: options.ownGroup ?? false });
    try {
      await program.printed(/^TokOne is ready/m, READY_DEADLINE_MS);
      return new ServicesProcess(program, dataFolder, await readQuickstart(dataFolder), { ...ground, gateways }, release);
    } catch (error) {
      await program.end('SIGTERM').catch(() => program.end('SIGKILL'));
      await release();
      throw error;
    }
  }

  get kafka(): KafkaPlace {
    return this.ground.kafka;
  }

  get redis(): RedisPlace {
    return this.ground.redis;
  }

  get spoolFolder(): string {
    return join(this.dataFolder, 'services', 'gateway', 'spool');
  }

  get spoolFolders(): string[] {
    const others = Array.from({ length: this.ground.gateways - 1 }, (_, index) => join(this.dataFolder, 'services', `gateway-${index + 2}`, 'spool'));
    return [this.spoolFolder, ...others];
  }

  get simulatorNotePath(): string {
    return join(this.dataFolder, 'services', 'simulator.json');
  }

  /** The processes as they are now. */
  async services(): Promise<ServiceNote[]> {
    return JSON.parse(await readFile(join(this.dataFolder, 'services.json'), 'utf8')) as ServiceNote[];
  }

  /** One of them by name, `billing-1`, while it runs. */
  async service(name: string): Promise<ServiceNote & { processId: number }> {
    return waitFor(
      async () => {
        const found = (await this.services()).find((service) => service.name === name);
        return found && found.processId !== null ? { ...found, processId: found.processId } : undefined;
      },
      { what: `${name} to run`, deadlineMs: 60_000 },
    );
  }

  /** Sends a signal to one service. Returns the process that got it. */
  async signal(name: string, signal: NodeJS.Signals): Promise<number> {
    const { processId } = await this.service(name);
    process.kill(processId, signal);
    return processId;
  }

  /** Waits until another process than `before` runs under the name and is ready. */
  async restarted(name: string, before: number, deadlineMs = 60_000): Promise<void> {
    await waitFor(
      async () => {
        const found = (await this.services()).find((service) => service.name === name);
        if (!found || found.processId === null || found.processId === before) return false;
        return (await readReadiness(found.managementUrl).catch(() => undefined))?.status === 200;
      },
      { what: `${name} to be started again`, deadlineMs, intervalMs: 100 },
    );
  }

  manage(method: ManagementMethod, path: string, body?: unknown): Promise<JsonAnswer> {
    return callManagement(this.dataFolder, { method, path, body });
  }

  tenant(balanceUsd: string, group: GroupName): Promise<Tenant> {
    return makeTenant((method, path, body) => this.manage(method, path, body), balanceUsd, group);
  }

  async readiness(): Promise<JsonAnswer> {
    return readReadiness((await this.service('gateway-1')).managementUrl);
  }

  /** What keeps gateways from serving, each with its name. */
  async gatewayProblems(): Promise<string[]> {
    const gateways = (await this.services()).filter(({ app }) => app === 'gateway');
    const found = gateways.map(async ({ name, processId, managementUrl }) => {
      const answer = processId === null ? undefined : await readReadiness(managementUrl).catch(() => undefined);
      return answer?.status === 200 ? [] : [`${name}: ${answer === undefined ? 'no answer' : JSON.stringify(answer.body)}`];
    });
    return (await Promise.all(found)).flat();
  }

  /** Of all gateways that run, and of the admission that they share. */
  async holds(): Promise<HoldsReport> {
    const gateways = (await this.services()).filter(({ app, processId }) => app === 'gateway' && processId !== null);
    const reports = await Promise.all(gateways.map(async ({ managementUrl }) => holdsOf(await readReadiness(managementUrl))));
    const { held, settled, heldNanoUsd } = await readStoredHolds(this.ground.redis.url, this.ground.redis.prefix);
    return { running: reports.reduce((sum, report) => sum + report.running, 0), held, settled, heldNanoUsd: heldNanoUsd.toString() };
  }

  async servingProcessId(): Promise<number> {
    return (await this.service('gateway-1')).processId;
  }

  async internalUrls(): Promise<string[]> {
    return (await this.services()).map(({ internalUrl }) => internalUrl);
  }

  async managementListeners(): Promise<ManagementListener[]> {
    return (await this.services()).map(({ app, name, managementUrl: url }) => ({ app, name, url }));
  }

  async stop(): Promise<number | null> {
    const { code } = await this.program.end('SIGTERM', 120_000);
    await this.releaseGround();
    return code;
  }

  /** The supervisor; its services end with it. */
  async kill(): Promise<void> {
    await this.program.end('SIGKILL');
  }
}

/**
 * The servers of the whole run, with topics of this deployment's own. A folder of the caller's has its own PostgreSQL
 * and keeps its topics, so that a later start finds what an earlier one left.
 */
async function layGround({ servers = {}, dataFolder }: ServicesOptions): Promise<Ground> {
  const shared = testServers();
  const kafkaBrokers = servers.kafkaBrokers ?? (await shared.kafka());
  const redisUrl = servers.redisUrl ?? (await shared.redis());
  const own = servers.databaseUrl === undefined && dataFolder === undefined ? await createDatabase(await shared.postgres()) : undefined;
  const databaseUrl = servers.databaseUrl ?? own?.url;
  const prefix = `t${dataFolder === undefined ? randomBytes(6).toString('hex') : createHash('sha256').update(dataFolder).digest('hex').slice(0, 12)}.`;
  const redis = { url: redisUrl, prefix: `${prefix}tokone:` };
  return {
    kafka: { brokers: kafkaBrokers, topicPrefix: prefix },
    redis,
    env: {
      KAFKA_BROKERS: kafkaBrokers.join(','),
      REDIS_URL: redisUrl,
      TOKONE_KAFKA_TOPIC_PREFIX: prefix,
      TOKONE_REDIS_PREFIX: redis.prefix,
      ...(databaseUrl !== undefined && { DATABASE_URL: databaseUrl }),
    },
    release: async () => {
      await own?.drop();
      if (dataFolder === undefined && servers.kafkaBrokers === undefined) await deleteTopics(kafkaBrokers, prefix);
    },
  };
}

/** A broker keeps files and memory for every partition that it ever had. */
async function deleteTopics(brokers: readonly string[], prefix: string): Promise<void> {
  const admin = new Kafka({ brokers: [...brokers], clientId: 'tests', logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(prefix));
    if (topics.length > 0) await admin.deleteTopics({ topics });
  } finally {
    await admin.disconnect();
  }
}

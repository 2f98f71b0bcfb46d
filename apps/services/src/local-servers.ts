import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { OpenedParts } from '@tokone/service';
import { startKafka, startPostgres, startRedis } from '@tokone/testing';
import type { OwnedServer } from '@tokone/testing';
import type { Narrator } from './narrator.js';
import type { SupervisorSettings } from './settings.js';

export interface LocalServers {
  kafkaBrokers: readonly string[];
  redisUrl: string;
  /** As an owner who may make roles. */
  databaseUrl: string;
  /** Resolves with a sentence when one of those that were started here ends, which nobody starts again. */
  ended: Promise<string>;
}

/** What a container holds goes with it; the data of these servers stays in the data folder. */
const KEPT = { docker: false };

/** Kafka, Redis and PostgreSQL: those that are named, else started here with their data below `folder`. */
export async function openServers(settings: SupervisorSettings, world: { folder: string; parts: OpenedParts; narrator: Narrator }): Promise<LocalServers> {
  const { folder, parts, narrator } = world;
  const { KAFKA_BROKERS: brokers, REDIS_URL: redisUrl, DATABASE_URL: databaseUrl } = settings;
  const own = [brokers ? undefined : 'Kafka', redisUrl ? undefined : 'Redis', databaseUrl ? undefined : 'PostgreSQL'].filter((name) => name !== undefined);
  if (own.length > 0) narrator.say(`Starting ${own.join(', ')} …`);
  const place = async (name: string): Promise<string> => {
    const path = join(folder, name);
    await mkdir(path, { recursive: true });
    return path;
  };
  const [kafka, redis, postgres] = await allOrThrow([
    place('kafka').then((path) => startKafka({ folder: path, ...KEPT, ...(brokers !== undefined && { existing: brokers.join(',') }) })).then((server) => parts.add('Kafka', server, () => server.stop())),
    place('redis').then((path) => startRedis({ folder: path, ...KEPT, ...(redisUrl !== undefined && { existing: redisUrl }) })).then((server) => parts.add('Redis', server, () => server.stop())),
    place('postgres').then((path) => startPostgres({ folder: path, ...(databaseUrl !== undefined && { existing: databaseUrl }) })).then((server) => parts.add('PostgreSQL', server, () => server.stop())),
  ]);
  const ended = firstEnd([...kafka.brokers.map((broker) => ({ title: 'Kafka', server: broker })), { title: 'Redis', server: redis }, { title: 'PostgreSQL', server: postgres }]);
  return { kafkaBrokers: kafka.addresses, redisUrl: redis.url, databaseUrl: postgres.url, ended };
}

/** Servers of somebody else have no end that could be seen. */
export function firstEnd(servers: readonly { title: string; server: Pick<OwnedServer, 'exited' | 'logFile'> }[]): Promise<string> {
  return new Promise((resolve) => {
    for (const { title, server } of servers) {
      void server.exited?.then(({ code, signal }) => resolve(`${title} ended (${signal ?? `status ${String(code)}`}), and TokOne stops, which cannot do without it. Its log is ${server.logFile ?? 'lost'}.`));
    }
  });
}

/** Unlike Promise.all it waits for the others when one fails, so that whatever was started can be ended. */
async function allOrThrow<One, Two, Three>(work: [Promise<One>, Promise<Two>, Promise<Three>]): Promise<[One, Two, Three]> {
  await Promise.allSettled(work);
  return Promise.all(work);
}

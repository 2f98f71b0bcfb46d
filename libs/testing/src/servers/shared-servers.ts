import { rm } from 'node:fs/promises';
import { makeTemporaryFolder } from '../temporary-folder.js';
import { type KafkaServers, startKafka } from './kafka.js';
import { type PostgresServer, startPostgres } from './postgres.js';
import { type RedisServer, startRedis } from './redis.js';

/** Many deployments, each with topics of its own. */
const HEAP_MEGABYTES = 512;

/** What specs may ask for by name. */
export type ServerName = 'kafka' | 'redis' | 'postgres';

/** The servers of one run of Jest, each started when it is first asked for, in a folder that goes with them. */
export class SharedServers {
  private folder: Promise<string> | undefined;
  private kafka: Promise<KafkaServers> | undefined;
  private redis: Promise<RedisServer> | undefined;
  private postgres: Promise<PostgresServer> | undefined;

  /** The address of the server: for Kafka those of its brokers, separated by commas. */
  async address(name: ServerName): Promise<string> {
    const folder = await (this.folder ??= makeTemporaryFolder('servers').then(({ path }) => path));
    if (name === 'kafka') return (await (this.kafka ??= startKafka({ folder, heapMegabytes: HEAP_MEGABYTES }))).addresses.join(',');
    if (name === 'redis') return (await (this.redis ??= startRedis({ folder }))).url;
    return (await (this.postgres ??= startPostgres({ folder }))).url;
  }

  /** At once, since their data is thrown away. */
  async close(): Promise<void> {
    const ends = [this.kafka?.then((kafka) => kafka.kill()), this.redis?.then((redis) => redis.discard()), this.postgres?.then((postgres) => postgres.discard())];
    // One that could not be started has told whoever asked for it.
    await Promise.allSettled(ends);
    if (this.folder !== undefined) await rm(await this.folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createDatabase, startKafka, startPostgres, startRedis } from '@tokone/testing';
import type { KafkaServers, PostgresServer, RedisServer, ServicesOptions } from '@tokone/testing';
import type { WatchedProcess } from './processor-meter.js';

const KAFKA_HEAP_MEGABYTES = 512;
/** The buffers of a small server, and commit times, which are what "posted" is measured by. `fsync` stays on. */
const POSTGRES_SETTINGS = { shared_buffers: '512MB', max_wal_size: '4GB', track_commit_timestamp: 'on' };

/** Kafka, PostgreSQL and Redis of a measurement's own; its owner must stop them. */
export class BenchServers {
  private constructor(
    private readonly kafka: KafkaServers,
    private readonly postgres: PostgresServer,
    private readonly redis: RedisServer,
  ) {}

  static async start(folder: string): Promise<BenchServers> {
    const home = join(folder, 'servers');
    await mkdir(home, { recursive: true, mode: 0o755 });
    const started: { stop(): Promise<void> }[] = [];
    try {
      const kafka = await startKafka({ folder: home, heapMegabytes: KAFKA_HEAP_MEGABYTES });
      started.push({ stop: () => kafka.kill() });
      const postgres = await startPostgres({ folder: home, settings: POSTGRES_SETTINGS });
      started.push(postgres);
      return new BenchServers(kafka, postgres, await startRedis({ folder: home }));
    } catch (error) {
      for (const server of started) await server.stop();
      throw error;
    }
  }

  /** For a deployment of its own: a database, and the topics that its data folder names. */
  async forDeployment(): Promise<NonNullable<ServicesOptions['servers']>> {
    const { url } = await createDatabase(this.postgres.url);
    return { kafkaBrokers: this.kafka.addresses, databaseUrl: url, redisUrl: this.redis.url };
  }

  get postmaster(): number {
    return this.postgres.processId ?? 0;
  }

  /** The brokers; none when they run in containers, whose processes belong to the engine. */
  get brokers(): WatchedProcess[] {
    return this.kafka.brokers.flatMap(({ processId }) => (processId === undefined ? [] : [{ label: 'Kafka', processId }]));
  }

  /** None when it runs in a container. */
  get redisProcesses(): WatchedProcess[] {
    return this.redis.processId === undefined ? [] : [{ label: 'Redis', processId: this.redis.processId }];
  }

  /** Behind it no account is open, as after the loss of all that Redis had. */
  async restartRedis(): Promise<void> {
    await this.redis.kill();
    await this.redis.start();
  }

  async stop(): Promise<void> {
    await this.kafka.kill();
    await this.redis.stop();
    await this.postgres.stop();
  }
}

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { FaultProxy, makeTemporaryFolder, startKafka, startPostgres, startRedis } from '@tokone/testing';
import type { KafkaServers, PostgresServer, RedisServer, TemporaryFolder } from '@tokone/testing';

export interface FragileServersOptions {
  kafka?: { brokers?: 1 | 3; proxied?: boolean };
  postgres?: boolean;
  redis?: boolean;
}

interface StartedServers {
  kafka?: KafkaServers;
  postgres?: PostgresServer;
  redis?: RedisServer;
  proxies: readonly FaultProxy[];
}

/** Servers of one deployment alone, so that they may be killed and paused. */
export class FragileServers {
  private constructor(
    private readonly folder: TemporaryFolder | undefined,
    private readonly started: StartedServers,
  ) {}

  static async start({ kafka, postgres, redis }: FragileServersOptions): Promise<FragileServers> {
    if (kafka === undefined && postgres === undefined && redis === undefined) return new FragileServers(undefined, { proxies: [] });
    const folder = await makeTemporaryFolder('fragile-servers');
    const place = async (name: string): Promise<string> => {
      const path = join(folder.path, name);
      await mkdir(path);
      return path;
    };
    const proxies: FaultProxy[] = [];
    const advertise = async ({ index, port }: { index: number; port: number }): Promise<string> => {
      const proxy = await FaultProxy.start({ target: { port } });
      proxies[index] = proxy;
      return proxy.address;
    };
    const started: StartedServers = { proxies };
    const servers = new FragileServers(folder, started);
    try {
      if (kafka !== undefined) started.kafka = await startKafka({ folder: await place('kafka'), brokers: kafka.brokers ?? 1, ...(kafka.proxied === true && { advertise }) });
      if (postgres === true) started.postgres = await startPostgres({ folder: await place('postgres') });
      if (redis === true) started.redis = await startRedis({ folder: await place('redis'), docker: false });
      return servers;
    } catch (error) {
      await servers.stop();
      throw error;
    }
  }

  /** For the deployment: those that are its own. */
  get addresses(): { kafkaBrokers?: readonly string[]; databaseUrl?: string; redisUrl?: string } {
    const { kafka, postgres, redis } = this.started;
    return { ...(kafka && { kafkaBrokers: kafka.addresses }), ...(postgres && { databaseUrl: postgres.url }), ...(redis && { redisUrl: redis.url }) };
  }

  get kafka(): KafkaServers {
    if (!this.started.kafka) throw new Error('this deployment has no Kafka of its own');
    return this.started.kafka;
  }

  get postgres(): PostgresServer {
    if (!this.started.postgres) throw new Error('this deployment has no PostgreSQL of its own');
    return this.started.postgres;
  }

  get redis(): RedisServer {
    if (!this.started.redis) throw new Error('this deployment has no Redis of its own');
    return this.started.redis;
  }

  /** Before the broker of that number, counted from 0. */
  proxy(index = 0): FaultProxy {
    const proxy = this.started.proxies[index];
    if (!proxy) throw new Error('this deployment has no proxy before its Kafka');
    return proxy;
  }

  async stop(): Promise<void> {
    const { kafka, postgres, redis, proxies } = this.started;
    await Promise.all(proxies.map((proxy) => proxy.stop()));
    await kafka?.kill();
    await redis?.discard();
    await postgres?.stop();
    await this.folder?.remove();
  }
}

import { startFirst } from './docker.js';
import { startLocalKafka } from './local-kafka.js';
import type { OwnedServer } from './owned-server.js';

export interface KafkaOptions {
  /** The caller's, who removes it. Data that is there already is used. */
  folder: string;
  /** Default 1. With three, topics have three copies and need two in step. */
  brokers?: 1 | 3;
  /** `host:port,host:port` of brokers that somebody else runs: they are used, and never stopped. */
  existing?: string | undefined;
  /** What clients are told instead of a broker's own port: the address of a proxy, which may be started here. */
  advertise?: (broker: { index: number; port: number }) => string | Promise<string>;
  /** Of each broker; default 256. */
  heapMegabytes?: number;
  /** More of Kafka's settings, or others. */
  settings?: Readonly<Record<string, string>>;
  /** False where the data must outlive the run: a container's are gone with it. Default true. */
  docker?: boolean;
}

/** One broker, which is also a controller. */
export interface KafkaBroker extends OwnedServer {
  readonly nodeId: number;
  /** `host:port` as clients are told. */
  readonly address: string;
  /** Where the broker itself listens for clients. */
  readonly port: number;
}

/** What a source of brokers hands over. */
export interface BrokerSet {
  brokers: KafkaBroker[];
  discard(): Promise<void>;
}

export interface KafkaServers {
  /** One `host:port` for each broker. */
  readonly addresses: string[];
  /** None when somebody else runs them. */
  readonly brokers: KafkaBroker[];
  /** Orderly, for data that is used again. */
  stop(): Promise<void>;
  /** At once, for data that is thrown away. */
  kill(): Promise<void>;
}

/**
 * Apache Kafka in KRaft mode: the brokers that are named, else in containers when a Docker engine answers, else its jars
 * on this machine's Java.
 * @throws with a sentence that says what to install when none of this is to be had
 */
export async function startKafka(options: KafkaOptions): Promise<KafkaServers> {
  if (options.existing !== undefined) {
    const addresses = options.existing.split(',').map((address) => address.trim());
    return { addresses, brokers: [], stop: async () => undefined, kill: async () => undefined };
  }
  const { brokers, discard } = await startFirst<BrokerSet>('Apache Kafka', {
    docker: options.docker === false ? undefined : async () => (await import('./kafka-containers.js')).startKafkaContainers(options),
    machine: () => startLocalKafka(options),
  });
  return {
    addresses: brokers.map(({ address }) => address),
    brokers,
    stop: async () => void (await Promise.all(brokers.map((broker) => broker.stop()))),
    kill: discard,
  };
}

import { Network, type StartedNetwork } from 'testcontainers';
import { type ContainerOrder, ContainerServer, engineHost } from './container-server.js';
import { chooseFreePorts } from './free-ports.js';
import { type KafkaNode, kafkaSettings, writeEnvironment } from './kafka-settings.js';
import type { BrokerSet, KafkaBroker, KafkaOptions } from './kafka.js';
import { kafkaBrokerIds } from './server-contact.js';

const IMAGE = 'apache/kafka:4.4.0';
const CLUSTER_ID = Buffer.from('tokone-servers-1').toString('base64url');
const PORTS = { client: 9092, internal: 9093, controller: 9094 };
const DATA_FOLDER = '/var/lib/kafka/data';
const HEAP_MEGABYTES = 256;

interface ContainerNode {
  node: KafkaNode;
  /** Of the engine's host. */
  port: number;
}

/** Apache Kafka's own image; the nodes know each other by their names in a network of their own. */
export async function startKafkaContainers(options: KafkaOptions): Promise<BrokerSet> {
  const host = await engineHost();
  const nodes = await chooseNodes(options, host);
  const network = await new Network().start();
  const started: ContainerServer[] = [];
  const discard = async (): Promise<void> => {
    await Promise.all(started.map((server) => server.discard().catch(() => undefined)));
    await network.stop();
  };
  try {
    for (const node of nodes) started.push(await ContainerServer.start(orderFor(node, nodes, { options, host, network })));
    await Promise.all(started.map((server) => server.untilReady()));
  } catch (error) {
    await discard();
    throw error;
  }
  return { brokers: started.map((server, index) => brokerOf(server, nodes[index] as ContainerNode)), discard };
}

async function chooseNodes({ brokers = 1, advertise }: KafkaOptions, host: string): Promise<ContainerNode[]> {
  const ports = await chooseFreePorts(brokers);
  return Promise.all(
    ports.map(async (port, index) => {
      const advertised = (await advertise?.({ index, port })) ?? `${host}:${port}`;
      const node = { nodeId: index + 1, listenHost: '0.0.0.0', host: `kafka-${index + 1}`, ports: PORTS, advertised };
      return { node, port };
    }),
  );
}

interface Surroundings {
  options: KafkaOptions;
  host: string;
  network: StartedNetwork;
}

function orderFor({ node, port }: ContainerNode, all: readonly ContainerNode[], { options, host, network }: Surroundings): ContainerOrder {
  const settings = kafkaSettings(node, all.map((each) => each.node), DATA_FOLDER);
  const heap = `-Xmx${options.heapMegabytes ?? HEAP_MEGABYTES}m`;
  return {
    image: process.env['TOKONE_KAFKA_IMAGE'] ?? IMAGE,
    port: { inside: PORTS.client, outside: port },
    env: { ...writeEnvironment({ ...settings, ...options.settings }), CLUSTER_ID, KAFKA_HEAP_OPTS: heap },
    network: { joined: network, alias: node.host },
    isReady: async () => (await kafkaBrokerIds(port, host)).includes(node.nodeId),
  };
}

/** A broker that is stopped keeps its container, to be started again; the reaper takes it with this process. */
function brokerOf(server: ContainerServer, { node, port }: ContainerNode): KafkaBroker {
  return Object.assign(server, { nodeId: node.nodeId, address: node.advertised, port });
}

export interface KafkaNode {
  /** From 1. */
  nodeId: number;
  /** Where the broker itself listens: on this address, whose ports the other nodes know. */
  listenHost: string;
  /** How the other nodes call it. */
  host: string;
  /** For clients, for the other brokers, for the quorum. */
  ports: { client: number; internal: number; controller: number };
  /** What clients are told: `host:port`, perhaps of a proxy. */
  advertised: string;
}

const MOST_COPIES = 3;
const COPIES_IN_STEP = 2;

/**
 * The settings of one node that is broker and controller. Clients have a listener of their own, so that a proxy may stand
 * before it without standing between the brokers. A dead broker is noticed after 2.5 s instead of 9 s, and the memory is
 * that of a test.
 */
export function kafkaSettings(node: KafkaNode, all: readonly KafkaNode[], dataFolder: string): Record<string, string> {
  const { ports, listenHost, host } = node;
  const copies = String(Math.min(MOST_COPIES, all.length));
  const inStep = String(Math.min(COPIES_IN_STEP, all.length));
  return {
    'process.roles': 'broker,controller',
    'node.id': String(node.nodeId),
    'controller.quorum.voters': all.map((voter) => `${voter.nodeId}@${voter.host}:${voter.ports.controller}`).join(','),
    listeners: `CLIENT://${listenHost}:${ports.client},INTERNAL://${listenHost}:${ports.internal},CONTROLLER://${listenHost}:${ports.controller}`,
    'advertised.listeners': `CLIENT://${node.advertised},INTERNAL://${host}:${ports.internal}`,
    'listener.security.protocol.map': 'CLIENT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'INTERNAL',
    'log.dirs': dataFolder,
    'auto.create.topics.enable': 'false',
    'num.partitions': '12',
    'default.replication.factor': copies,
    'min.insync.replicas': inStep,
    'offsets.topic.replication.factor': copies,
    'offsets.topic.num.partitions': '8',
    'transaction.state.log.replication.factor': copies,
    'transaction.state.log.min.isr': inStep,
    'transaction.state.log.num.partitions': '8',
    'share.coordinator.state.topic.replication.factor': copies,
    'share.coordinator.state.topic.min.isr': inStep,
    'group.initial.rebalance.delay.ms': '0',
    'group.min.session.timeout.ms': '1000',
    'broker.session.timeout.ms': '2500',
    'broker.heartbeat.interval.ms': '500',
    'log.cleaner.dedupe.buffer.size': '2097152',
    'log.index.size.max.bytes': '1048576',
    'num.network.threads': '2',
    'num.io.threads': '4',
  };
}

/** As a properties file of Java, in which a backslash is the only character of these values that must be escaped. */
export function writeProperties(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings).map(([name, value]) => `${name}=${value.replaceAll('\\', '\\\\')}\n`).join('');
}

/** As the environment from which Apache's image makes its properties. */
export function writeEnvironment(settings: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(settings).map(([name, value]) => [`KAFKA_${name.toUpperCase().replaceAll('.', '_')}`, value]));
}

import { cp, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WORKSPACE } from '../child-program.js';
import { chooseFreePorts, retryTakenPorts } from './free-ports.js';
import type { ServerProgram } from './guarded-process.js';
import { findJava } from './java.js';
import { findKafkaJars } from './kafka-jars.js';
import { type KafkaNode, kafkaSettings, writeProperties } from './kafka-settings.js';
import type { BrokerSet, KafkaBroker, KafkaOptions } from './kafka.js';
import { LocalServer } from './owned-server.js';
import { exists, preparedFolder } from './prepared-folder.js';
import { runProgram } from './program-run.js';
import { kafkaBrokerIds } from './server-contact.js';

const LOG4J = join(WORKSPACE, 'libs', 'testing', 'src', 'servers', 'kafka-log4j2.xml');
/** Sixteen bytes: the form that a cluster's id must have. */
const CLUSTER_ID = Buffer.from('tokone-servers-1').toString('base64url');
const HOST = '127.0.0.1';
const PORTS_PER_NODE = 3;
const FORMAT_TIMEOUT_MS = 120_000;
const START_TIMEOUT_MS = 180_000;
const HEAP_MEGABYTES = 256;

interface Installation {
  java: string;
  jars: string;
  key: string;
}

/** A broker that is a process of this machine. */
class LocalBroker extends LocalServer implements KafkaBroker {
  readonly nodeId: number;
  readonly address: string;
  readonly port: number;

  constructor(program: ServerProgram, node: KafkaNode) {
    const isReady = async (): Promise<boolean> => (await kafkaBrokerIds(node.ports.client)).includes(node.nodeId);
    super({ program, isReady, startTimeoutMs: START_TIMEOUT_MS });
    this.nodeId = node.nodeId;
    this.address = node.advertised;
    this.port = node.ports.client;
  }
}

/** Apache Kafka from its jars. All brokers are ready when this resolves, else none is left running. */
export async function startLocalKafka(options: KafkaOptions): Promise<BrokerSet> {
  const java = await findJava();
  const { folder: jars, key } = await findKafkaJars(java, options);
  const start = (): Promise<BrokerSet> => startBrokers({ java, jars, key }, options);
  // A caller who was told the ports has already acted on them.
  return options.advertise === undefined ? retryTakenPorts(start) : start();
}

async function startBrokers(installation: Installation, options: KafkaOptions): Promise<BrokerSet> {
  const nodes = await chooseNodes(options);
  const programs = await Promise.all(nodes.map((node) => prepareNode(installation, { node, nodes, options })));
  const brokers = programs.map((program, index) => new LocalBroker(program, nodes[index] as KafkaNode));
  const discard = async (): Promise<void> => void (await Promise.all(brokers.map((broker) => broker.discard())));
  try {
    await Promise.all(brokers.map((broker) => broker.launch()));
    await Promise.all(brokers.map((broker) => broker.untilReady()));
    return { brokers, discard };
  } catch (error) {
    await discard();
    throw error;
  }
}

async function chooseNodes({ brokers = 1, advertise }: KafkaOptions): Promise<KafkaNode[]> {
  const ports = await chooseFreePorts(brokers * PORTS_PER_NODE);
  return Promise.all(
    Array.from({ length: brokers }, async (_, index) => {
      const [client = 0, internal = 0, controller = 0] = ports.slice(index * PORTS_PER_NODE);
      const advertised = (await advertise?.({ index, port: client })) ?? `${HOST}:${client}`;
      return { nodeId: index + 1, listenHost: HOST, host: HOST, ports: { client, internal, controller }, advertised };
    }),
  );
}

interface NodeRequest {
  node: KafkaNode;
  nodes: readonly KafkaNode[];
  options: KafkaOptions;
}

async function prepareNode(installation: Installation, { node, nodes, options }: NodeRequest): Promise<ServerProgram> {
  const folder = join(options.folder, `kafka-${node.nodeId}`);
  const dataFolder = join(folder, 'data');
  await mkdir(folder, { recursive: true });
  if (!(await exists(dataFolder))) {
    const draft = `${dataFolder}.unfinished`;
    await rm(draft, { recursive: true, force: true });
    await cp(await formattedFolder(installation, node.nodeId), draft, { recursive: true });
    await rename(draft, dataFolder);
  }
  const properties = join(folder, 'server.properties');
  await writeFile(properties, writeProperties({ ...kafkaSettings(node, nodes, dataFolder), ...options.settings }));
  return {
    title: nodes.length === 1 ? 'Apache Kafka' : `Apache Kafka's broker ${node.nodeId}`,
    file: installation.java,
    args: [...javaOptions(folder, options.heapMegabytes ?? HEAP_MEGABYTES), '-cp', join(installation.jars, '*'), 'kafka.Kafka', properties],
    // Java reads options from some variables, which are not ours to pass on.
    env: { PATH: process.env['PATH'] ?? '', LANG: 'C.UTF-8' },
    folder,
    logFile: join(folder, 'kafka.log'),
  };
}

/** For a quick start and little memory; nothing is written outside of the folder. */
function javaOptions(folder: string, heapMegabytes: number): string[] {
  const memory = [`-Xmx${heapMegabytes}m`, '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
  return [...memory, '-XX:-UsePerfData', `-Djava.io.tmpdir=${folder}`, `-XX:ErrorFile=${join(folder, 'jvm-error.log')}`, `-Dlog4j2.configurationFile=${LOG4J}`];
}

/** Formatting takes longer than starting; its result holds no path and no port, so one serves all. */
async function formattedFolder({ java, jars, key }: Installation, nodeId: number): Promise<string> {
  const name = `kafka-${key}-node-${nodeId}`;
  return preparedFolder(name, async (draft) => {
    const ports = { client: 9092, internal: 9093, controller: 9094 };
    const node = { nodeId, listenHost: HOST, host: HOST, ports, advertised: `${HOST}:9092` };
    const properties = `${draft}.properties`;
    await writeFile(properties, writeProperties(kafkaSettings(node, [node], draft)));
    try {
      const args = ['-Xmx128m', '-XX:-UsePerfData', `-Dlog4j2.configurationFile=${LOG4J}`, '-cp', join(jars, '*'), 'kafka.tools.StorageTool'];
      await runProgram(java, [...args, 'format', '-t', CLUSTER_ID, '-c', properties], { timeoutMs: FORMAT_TIMEOUT_MS });
    } finally {
      await rm(properties, { force: true });
    }
  });
}

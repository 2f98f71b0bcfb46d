import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { Kafka, logLevel } from 'kafkajs';
import { type TemporaryFolder, makeTemporaryFolder } from '../temporary-folder.js';
import { waitFor } from '../wait-for.js';
import { FaultProxy } from './fault-proxy.js';
import { type KafkaServers, startKafka } from './kafka.js';
import { kafkaBrokerIds } from './server-contact.js';

const PARTITIONS = 3;
const LONG_MS = 120_000;
/** Starting Java takes its time on a machine that has much else to do. */
const TEST_MS = 400_000;
let folder: TemporaryFolder;
let kafka: KafkaServers | undefined;

beforeEach(async () => {
  folder = await makeTemporaryFolder('kafka');
});

afterEach(async () => {
  await kafka?.kill();
  kafka = undefined;
  await folder.remove();
});

function clientOf({ addresses }: Pick<KafkaServers, 'addresses'>): Kafka {
  const patience = { connectionTimeout: 1_000, requestTimeout: 3_000, retry: { retries: 3, initialRetryTime: 50, maxRetryTime: 500 } };
  return new Kafka({ brokers: addresses, logLevel: logLevel.NOTHING, ...patience });
}

async function createTopic(client: Kafka): Promise<string> {
  const topic = `spec.${randomUUID()}`;
  const admin = client.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: PARTITIONS }], waitForLeaders: false });
  await admin.disconnect();
  await untilInStep(client, topic, 1);
  return topic;
}

/** Until each partition has a leader, and so many copies of it are complete. */
async function untilInStep(client: Kafka, topic: string, copies: number): Promise<void> {
  const admin = client.admin();
  await admin.connect();
  const isInStep = async (): Promise<boolean> => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] }).catch(() => ({ topics: [] }));
    const partitions = topics[0]?.partitions ?? [];
    return partitions.length === PARTITIONS && partitions.every(({ leader, isr }) => leader > 0 && isr.length >= copies);
  };
  await waitFor(isInStep, { what: `${copies} complete copies`, deadlineMs: LONG_MS }).finally(() => admin.disconnect());
}

/**
 * Until it is acknowledged, so perhaps twice. Each time by a new producer: the library gives up at once on a broker that has
 * just gone, and asks one that is paused again and again, without asking who leads the partition now.
 */
async function produce(client: Kafka, topic: string, value: string): Promise<void> {
  const send = async (): Promise<boolean> => {
    const producer = client.producer();
    try {
      await producer.connect();
      await producer.send({ topic, acks: -1, messages: [{ value, partition: 0 }] });
      return true;
    } catch {
      return false;
    } finally {
      await producer.disconnect();
    }
  };
  await waitFor(send, { what: `the acknowledgement of "${value}"`, deadlineMs: LONG_MS });
}

/** Different values, in the order of their first record. */
async function consume(client: Kafka, topic: string, count: number): Promise<string[]> {
  const consumer = client.consumer({ groupId: `spec.${randomUUID()}` });
  const values = new Set<string>();
  try {
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({ eachMessage: async ({ message }) => void values.add(String(message.value)) });
    await waitFor(() => values.size >= count, { what: `${count} records`, deadlineMs: LONG_MS });
  } finally {
    await consumer.disconnect();
  }
  return [...values];
}

describe('a Kafka of our own', () => {
  it('keeps what was acknowledged when its only broker is killed, on the same address', async () => {
    kafka = await startKafka({ folder: folder.path });
    const client = clientOf(kafka);
    const topic = await createTopic(client);
    await produce(client, topic, 'before');
    const [broker] = kafka.brokers;
    const first = broker?.processId;
    await broker?.kill();
    expect(broker?.processId).toBeUndefined();
    await broker?.start();
    expect(broker?.processId).not.toBe(first);
    await produce(client, topic, 'after');
    expect(await consume(client, topic, 2)).toEqual(['before', 'after']);
  }, TEST_MS);

  it('is stopped in order and started again on its folder, with all its data', async () => {
    kafka = await startKafka({ folder: folder.path });
    const topic = await createTopic(clientOf(kafka));
    await produce(clientOf(kafka), topic, 'kept');
    await kafka.stop();
    kafka = await startKafka({ folder: folder.path });
    expect(await consume(clientOf(kafka), topic, 1)).toEqual(['kept']);
  }, TEST_MS);

  it('tells clients the address of a proxy, behind which an acknowledgement is lost and the record is not', async () => {
    const proxies: FaultProxy[] = [];
    const advertise = async ({ index, port }: { index: number; port: number }): Promise<string> => (proxies[index] = await FaultProxy.start({ target: { port } })).address;
    kafka = await startKafka({ folder: folder.path, advertise });
    expect(kafka.addresses).toEqual([proxies[0]?.address]);
    const client = clientOf(kafka);
    const topic = await createTopic(client);
    // A leader that is new to its partition may still refuse.
    await produce(client, topic, 'first');
    const isProduce = (request: Buffer): boolean => request.length > 6 && request.readInt16BE(4) === 0;
    let lost = 0;
    proxies[0]?.dropAnswers({ to: (request) => isProduce(request) && ++lost === 1, times: 1 });
    const producer = client.producer({ idempotent: false, retry: { retries: 0 } });
    await producer.connect();
    await expect(producer.send({ topic, acks: -1, messages: [{ value: 'stored', partition: 0 }] })).rejects.toThrow();
    await producer.disconnect();
    expect(lost).toBe(1);
    expect(await consume(client, topic, 2)).toEqual(['first', 'stored']);
    await Promise.all(proxies.map((proxy) => proxy.stop()));
  }, TEST_MS);
});

describe('three brokers of our own', () => {
  it('go on without one that is killed or paused, and take it back', async () => {
    kafka = await startKafka({ folder: folder.path, brokers: 3 });
    expect(kafka.brokers.map(({ nodeId }) => nodeId)).toEqual([1, 2, 3]);
    const [first, second, third] = kafka.brokers;
    await waitFor(async () => (await kafkaBrokerIds(first?.port ?? 0)).length === 3, { what: 'three brokers', deadlineMs: LONG_MS });
    // The client library does not get over a first contact that never answers.
    const client = clientOf({ addresses: kafka.addresses.slice(0, 1) });
    const topic = await createTopic(client);
    await produce(client, topic, 'all');
    await second?.kill();
    await produce(client, topic, 'without the second');
    await second?.start();
    await untilInStep(client, topic, 3);
    await third?.pause();
    await produce(client, topic, 'without the third');
    await third?.resume();
    await waitFor(async () => (await kafkaBrokerIds(first?.port ?? 0)).length === 3, { what: 'three brokers again', deadlineMs: LONG_MS });
    expect(await consume(client, topic, 3)).toEqual(['all', 'without the second', 'without the third']);
  }, TEST_MS);
});

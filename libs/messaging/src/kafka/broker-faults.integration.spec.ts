import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { PARTITIONS } from '@tokone/events';
import { FaultProxy, makeTemporaryFolder, startKafka, waitFor, type KafkaServers, type TemporaryFolder } from '@tokone/testing';
import { usageText } from '../fixtures/usage-text.js';
import { CarefulProducer } from './careful-producer.js';
import { connectTo, readTopic, watchTroubles } from './fixtures/test-kafka.js';
import { KafkaEventLog } from './kafka-event-log.js';
import type { KafkaConnection } from './kafka-connection.js';
import type { ProducedRecord } from './produce-portions.js';
import { ensureTopics } from './topic-setup.js';

const DEADLINE_MS = 60_000;
/** Of a produce request, behind its length: its kind is 0. */
const PRODUCE = 0;

let folder: TemporaryFolder;
let kafka: KafkaServers;
let proxy: FaultProxy;
beforeAll(async () => {
  folder = await makeTemporaryFolder('broker-faults');
  kafka = await startKafka({
    folder: folder.path,
    advertise: async ({ port }) => {
      proxy = await FaultProxy.start({ target: { port } });
      return proxy.address;
    },
  });
});
afterAll(async () => {
  await kafka.kill();
  await proxy.stop();
  await folder.remove();
});

let connection: KafkaConnection;
beforeEach(async () => {
  connection = connectTo([proxy.address]);
  await ensureTopics(connection);
});

function records(from: number, to: number): ProducedRecord[] {
  return Array.from({ length: to - from }, (_, index) => ({ partition: (from + index) % PARTITIONS, key: null, value: usageText(from + index), headers: {} }));
}

const isProduce = (request: Buffer): boolean => request.length > 6 && request.readInt16BE(4) === PRODUCE;
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);
const numberOf = (text: string): number => (JSON.parse(text) as { startedAtMs: number }).startedAtMs;

/** As the shipper does. */
async function sendUntilStored(producer: CarefulProducer, batch: ProducedRecord[]): Promise<void> {
  const send = (): Promise<boolean> => producer.send(connection.topic('usage.recorded'), batch).then(() => true, () => false);
  await waitFor(send, { what: 'the broker', deadlineMs: DEADLINE_MS, intervalMs: 200 });
}

async function storedNumbers(): Promise<number[]> {
  return (await readTopic(connection, 'usage.recorded')).map(({ value }) => numberOf(value));
}

describe('CarefulProducer', () => {
  it('stores everything although the acknowledgement of a produce is lost', async () => {
    const producer = new CarefulProducer(connection);
    const topic = connection.topic('usage.recorded');
    await producer.send(topic, records(0, 24));
    proxy.dropAnswers({ to: isProduce, times: 1 });
    await producer.send(topic, records(24, 48));
    await producer.send(topic, records(48, 72));
    await producer.close();
    expect([...new Set(await storedNumbers())].sort((a, b) => a - b)).toEqual(range(0, 72));
  });

  it('stores everything when the caller repeats a send whose acknowledgements are lost until its deadline', async () => {
    const topic = connection.topic('usage.recorded');
    const producer = new CarefulProducer(connection, { sendDeadlineMs: 2_000 });
    await producer.send(topic, records(0, 12));
    proxy.dropAnswers({ to: isProduce });
    await expect(producer.send(topic, records(12, 24))).rejects.toThrow(`records could not be written to ${topic}`);
    proxy.heal();
    // As many records as those whose fate is unknown: under their numbers a broker would take these for them.
    await producer.send(topic, records(24, 36));
    await producer.send(topic, records(12, 24));
    await producer.close();
    expect([...new Set(await storedNumbers())].sort((a, b) => a - b)).toEqual(range(0, 36));
  });

  it('keeps what it was told to send while the broker is killed and comes back, in order', async () => {
    const producer = new CarefulProducer(connection);
    const topic = connection.topic('usage.recorded');
    await producer.send(topic, records(0, 60));
    const killed = kafka.brokers[0]!.kill();
    const sent = (async () => {
      for (let from = 60; from < 360; from += 60) await sendUntilStored(producer, records(from, from + 60));
    })();
    await killed;
    await kafka.brokers[0]!.start();
    await sent;
    await producer.close();
    const stored = await readTopic(connection, 'usage.recorded');
    expect([...new Set(stored.map(({ value }) => numberOf(value)))].sort((a, b) => a - b)).toEqual(range(0, 360));
    for (const partition of range(0, PARTITIONS)) {
      const firsts = [...new Set(stored.filter((message) => message.partition === partition).map(({ value }) => numberOf(value)))];
      expect(firsts).toEqual([...firsts].sort((a, b) => a - b));
    }
  });
});

describe('KafkaEventLog', () => {
  it('goes on by itself after its broker was killed, and skips nothing', async () => {
    const producer = new CarefulProducer(connection);
    const topic = connection.topic('usage.recorded');
    const handled: number[] = [];
    const cursors = new Map<string, bigint>();
    const consumption = await new KafkaEventLog({ connection, ...watchTroubles() }).consume({
      batchSize: 50,
      lingerMs: 5,
      cursor: async (partition) => cursors.get(partition),
      handle: async (batch) => {
        handled.push(...batch.records.map(({ raw }) => numberOf(raw)));
        cursors.set(batch.partition, batch.nextOffset);
      },
    });
    await producer.send(topic, records(0, 48));
    await consumption.caughtUp(DEADLINE_MS);
    await kafka.brokers[0]!.kill();
    await kafka.brokers[0]!.start();
    await sendUntilStored(producer, records(48, 96));
    await consumption.caughtUp(DEADLINE_MS);
    await consumption.stop();
    await producer.close();
    expect([...new Set(handled)].sort((a, b) => a - b)).toEqual(range(0, 96));
    expect([...cursors.values()].reduce((sum, offset) => sum + offset, 0n)).toBeGreaterThanOrEqual(96n);
  });
});

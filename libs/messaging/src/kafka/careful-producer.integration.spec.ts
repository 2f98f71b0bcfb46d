import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { testServers } from '@tokone/testing';
import { CarefulProducer } from './careful-producer.js';
import { deployTo, readTopic } from './fixtures/test-kafka.js';
import type { KafkaConnection } from './kafka-connection.js';
import type { ProducedRecord } from './produce-portions.js';

let connection: KafkaConnection;
let remove: () => Promise<void>;
let producer: CarefulProducer;
let topic: string;
beforeEach(async () => {
  ({ connection, remove } = await deployTo(await testServers().kafka()));
  producer = new CarefulProducer(connection);
  topic = connection.topic('usage.recorded');
});
afterEach(async () => {
  await producer.close();
  await remove();
});

function recordsOf(from: number, to: number, padding = ''): ProducedRecord[] {
  return Array.from({ length: to - from }, (_, index) => ({ partition: 3, key: 'account', value: `${from + index}${padding}`, headers: { id: `${from + index}` } }));
}

async function storedNumbers(): Promise<number[]> {
  return (await readTopic(connection, 'usage.recorded')).map(({ headers }) => Number(headers['id']));
}

describe('CarefulProducer', () => {
  it('stores records as they are, in the order of the sends, also of those that come together', async () => {
    await Promise.all([0, 10, 20, 30].map((from) => producer.send(topic, recordsOf(from, from + 10))));
    expect(await storedNumbers()).toEqual(Array.from({ length: 40 }, (_, number) => number));
    expect((await readTopic(connection, 'usage.recorded'))[7]).toEqual({ partition: 3, offset: 7n, key: 'account', value: '7', headers: { id: '7' } });
  });

  it('stores more for one partition than a broker takes at once', async () => {
    await producer.send(topic, recordsOf(0, 50, 'x'.repeat(60_000)));
    expect(await storedNumbers()).toEqual(Array.from({ length: 50 }, (_, number) => number));
  });

  it('rejects what a broker refuses, and goes on with what it takes', async () => {
    await expect(producer.send(topic, recordsOf(0, 1, 'x'.repeat(2_000_000)))).rejects.toThrow(`records could not be written to ${topic}`);
    await producer.send(topic, recordsOf(1, 3));
    expect(await storedNumbers()).toEqual([1, 2]);
  });

  it('refuses to send once it is closed', async () => {
    await producer.send(topic, recordsOf(0, 1));
    await producer.close();
    await expect(producer.send(topic, recordsOf(1, 2))).rejects.toThrow('The producer is closed.');
    expect(await storedNumbers()).toEqual([0]);
  });
});

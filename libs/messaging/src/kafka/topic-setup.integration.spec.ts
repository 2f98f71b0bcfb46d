import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { TOPICS } from '@tokone/events';
import { testServers } from '@tokone/testing';
import { CarefulProducer } from './careful-producer.js';
import { connectTo, removeTopics } from './fixtures/test-kafka.js';
import { KafkaAdmin } from './kafka-admin.js';
import type { KafkaConnection } from './kafka-connection.js';
import { ensureTopics } from './topic-setup.js';
import { Watermarks } from './watermark.js';

let connection: KafkaConnection;
beforeEach(async () => {
  connection = connectTo(await testServers().kafka());
});
afterEach(() => removeTopics(connection));

const names = Object.keys(TOPICS) as (keyof typeof TOPICS)[];

describe('ensureTopics', () => {
  it('makes every topic of the table as it says, ready for records at once, also when several do it at a time', async () => {
    await Promise.all([ensureTopics(connection), ensureTopics(connection), ensureTopics(connection)]);
    const producer = new CarefulProducer(connection);
    for (const name of names) {
      const records = Array.from({ length: TOPICS[name].partitions }, (_, partition) => ({ partition, key: null, value: 'x', headers: {} }));
      await producer.send(connection.topic(name), records);
    }
    await producer.close();
    const admin = new KafkaAdmin(connection);
    const { topics } = await admin.use((client) => client.fetchTopicMetadata({ topics: names.map((name) => connection.topic(name)) }));
    expect(Object.fromEntries(topics.map(({ name, partitions }) => [name, partitions.length]))).toEqual(
      Object.fromEntries(names.map((name) => [connection.topic(name), TOPICS[name].partitions])),
    );
    await admin.close();
  });

  it('leaves what is there as it is', async () => {
    await ensureTopics(connection);
    const producer = new CarefulProducer(connection);
    await producer.send(connection.topic('usage.dead'), [{ partition: 0, key: null, value: 'x', headers: {} }]);
    await producer.close();
    await ensureTopics(connection);
    const watermarks = new Watermarks(connection);
    expect(await watermarks.endOffsets('usage.dead')).toEqual(new Map([[0, 1n]]));
    await watermarks.close();
  });

  it('refuses a topic with another number of partitions, and says what to do', async () => {
    const admin = new KafkaAdmin(connection);
    const topic = connection.topic('charge.rated');
    await admin.use((client) => client.createTopics({ waitForLeaders: false, topics: [{ topic, numPartitions: 5 }] }));
    await admin.close();
    const refusal = { name: 'TopicError', message: expect.stringContaining(`The Kafka topic ${topic} has 5 partitions instead of 12. Choose another TOKONE_KAFKA_TOPIC_PREFIX`) };
    await expect(ensureTopics(connection)).rejects.toMatchObject(refusal);
  });

  it('says why when there is no broker', async () => {
    await expect(ensureTopics(connectTo(['127.0.0.1:1']), { deadlineMs: 100 })).rejects.toMatchObject({
      name: 'TopicError',
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });
});

describe('Watermarks', () => {
  it('does not say that a group passed what it has not handled', async () => {
    await ensureTopics(connection);
    const watermarks = new Watermarks(connection);
    const empty = await watermarks.usageEnd();
    expect(await watermarks.usagePassed(empty, 5_000)).toBe(true);
    const producer = new CarefulProducer(connection);
    await producer.send(connection.topic('usage.recorded'), [{ partition: 3, key: null, value: 'x', headers: {} }]);
    await producer.close();
    const end = await watermarks.usageEnd();
    expect(end.get(3)).toBe(1n);
    expect(await watermarks.usagePassed(end, 300)).toBe(false);
    expect(await watermarks.usagePassed(empty, 5_000)).toBe(true);
    await watermarks.close();
  });
});

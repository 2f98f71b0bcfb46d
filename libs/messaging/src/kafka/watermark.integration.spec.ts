import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { PARTITIONS } from '@tokone/events';
import { testServers, waitFor } from '@tokone/testing';
import { CarefulProducer } from './careful-producer.js';
import { deployTo } from './fixtures/test-kafka.js';
import { KafkaAdmin } from './kafka-admin.js';
import type { KafkaConnection } from './kafka-connection.js';
import { Watermarks } from './watermark.js';

let connection: KafkaConnection;
let remove: () => Promise<void>;
let producer: CarefulProducer;
let watermarks: Watermarks;
let admin: KafkaAdmin;
beforeEach(async () => {
  ({ connection, remove } = await deployTo(await testServers().kafka()));
  producer = new CarefulProducer(connection);
  watermarks = new Watermarks(connection);
  admin = new KafkaAdmin(connection);
});
afterEach(async () => {
  await Promise.all([producer.close(), watermarks.close(), admin.close()]);
  await remove();
});

/** What the group has not committed, where that is anything. A broker that has just got the group may send the question away. */
async function lag(): Promise<[number, number][]> {
  const found = await waitFor(() => watermarks.lag('billing', 'usage.recorded').catch(() => undefined), { what: 'an answer', deadlineMs: 20_000 });
  expect(found.size).toBe(PARTITIONS);
  return [...found].filter(([, records]) => records > 0);
}

describe('the lag of a group', () => {
  it('is all of the topic before its first commit, and what came behind it afterwards', async () => {
    const topic = connection.topic('usage.recorded');
    expect(await lag()).toEqual([]);
    await producer.send(topic, [1, 1, 1, 4].map((partition) => ({ partition, key: null, value: 'x', headers: {} })));
    expect(new Map(await lag())).toEqual(new Map([[1, 3], [4, 1]]));
    const groupId = connection.group('billing');
    await admin.use((client) => client.setOffsets({ groupId, topic, partitions: [{ partition: 1, offset: '2' }, { partition: 4, offset: '1' }] }));
    expect(await lag()).toEqual([[1, 1]]);
  });
});

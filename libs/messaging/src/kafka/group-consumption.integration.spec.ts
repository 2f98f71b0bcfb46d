import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { testServers, waitFor } from '@tokone/testing';
import type { Consumption } from '../event-log.js';
import { CarefulProducer } from './careful-producer.js';
import { deployTo, watchTroubles } from './fixtures/test-kafka.js';
import { GroupConsumption } from './group-consumption.js';
import type { GroupConsumptionOptions } from './group-consumption.js';
import { KafkaAdmin } from './kafka-admin.js';
import type { KafkaConnection } from './kafka-connection.js';

const DEADLINE_MS = 20_000;

let connection: KafkaConnection;
let remove: () => Promise<void>;
let producer: CarefulProducer;
let admin: KafkaAdmin;
let topic: string;
/** Under which the cursor of a partition is stored. */
let named: (partition: number) => string;
let running: Consumption[];
beforeEach(async () => {
  ({ connection, remove } = await deployTo(await testServers().kafka()));
  producer = new CarefulProducer(connection);
  admin = new KafkaAdmin(connection);
  topic = connection.topic('usage.recorded');
  const clusterId = await admin.clusterId();
  named = (partition) => `${clusterId}:${topic}/${partition}`;
  running = [];
});
afterEach(async () => {
  await Promise.all(running.map((consumption) => consumption.stop()));
  await Promise.all([producer.close(), admin.close()]);
  await remove();
});

function send(partition: number, values: string[]): Promise<void> {
  return producer.send(topic, values.map((value) => ({ partition, key: null, value, headers: {} })));
}

/** A member whose cursors stand in a map, which counts nothing but what it was given. */
function consume(cursors: Map<string, bigint>, options: Partial<GroupConsumptionOptions> = {}): { handled: string[]; watch: ReturnType<typeof watchTroubles>; consumption: Consumption } {
  const handled: string[] = [];
  const watch = watchTroubles();
  const consumption = new GroupConsumption({
    ...watch,
    ...options,
    connection,
    topic,
    group: connection.group('readers'),
    consumer: {
      batchSize: 100,
      lingerMs: 0,
      cursor: async (partition) => cursors.get(partition),
      handle: async ({ messages, partition, nextOffset }) => {
        handled.push(...messages.map(({ value }) => String(value)));
        cursors.set(partition, nextOffset);
      },
    },
  });
  running.push(consumption);
  return { handled, watch, consumption };
}

describe('GroupConsumption', () => {
  it('holds a partition that ends before its cursor, says so, goes on with the others, and goes on at the cursor when the log reaches it soon', async () => {
    await send(0, ['a', 'b']);
    await send(1, ['c']);
    const { handled, watch } = consume(new Map([[named(0), 3n]]));
    await waitFor(() => handled.length > 0 && watch.troubles.length > 1, { what: 'the other partition', deadlineMs: DEADLINE_MS });
    expect(handled).toEqual(['c']);
    expect(watch.troubles.map(({ cause }) => String(cause))).toContain(`Error: ${named(0)} ends before the stored cursor: it is not the log that the cursor is of.`);
    await send(0, ['d', 'e']);
    await waitFor(() => handled.length > 1, { what: 'the record at the cursor', deadlineMs: DEADLINE_MS });
    expect(handled).toEqual(['c', 'e']);
  });

  it('reads a log that goes on ending before its cursor from its beginning, and says so: it is another one', async () => {
    await send(0, ['a', 'b']);
    const cursors = new Map([[named(0), 7n]]);
    const { handled, watch, consumption } = consume(cursors, { otherLogAfterMs: 300 });
    await consumption.caughtUp(DEADLINE_MS);
    expect([handled, cursors.get(named(0))]).toEqual([['a', 'b'], 2n]);
    expect(watch.troubles.map(({ cause }) => String(cause))).toContain(`Error: ${named(0)} still ends at 2, before the stored cursor 7: it is another log under that name, and is read from its beginning.`);
    await consumption.stop();
    await send(0, ['c', 'd', 'e', 'f', 'g', 'h', 'i']);
    const later = consume(cursors);
    await later.consumption.caughtUp(DEADLINE_MS);
    expect(later.handled).toEqual(['c', 'd', 'e', 'f', 'g', 'h', 'i']);
  });

  it('applies no cursor of another cluster', async () => {
    await send(0, ['a', 'b', 'c']);
    const { handled, consumption } = consume(new Map([[`another-cluster:${topic}/0`, 2n], [`${topic}/0`, 2n]]));
    await consumption.caughtUp(DEADLINE_MS);
    expect(handled).toEqual(['a', 'b', 'c']);
  });

  it('tells which records were deleted before they were read, and goes on behind them', async () => {
    await send(2, ['a', 'b', 'c', 'd']);
    await admin.use(async (client) => {
      // The client deletes only in topics that it was asked about before.
      await client.fetchTopicOffsets(topic);
      await client.deleteTopicRecords({ topic, partitions: [{ partition: 2, offset: '3' }] });
    });
    const { handled, watch, consumption } = consume(new Map([[named(2), 1n]]));
    await consumption.caughtUp(DEADLINE_MS);
    expect(handled).toEqual(['d']);
    expect(watch.troubles.map(({ cause }) => String(cause))).toEqual([`Error: ${named(2)} lost its records from 1 to 3 before they were read: its retention is too short.`]);
  });

  it('moves the watermark of its group to a cursor that is ahead of it, though nothing new comes', async () => {
    await send(3, ['a', 'b']);
    const { handled, consumption } = consume(new Map([[named(3), 2n]]));
    await consumption.caughtUp(DEADLINE_MS);
    expect(handled).toEqual([]);
    expect((await admin.committed(connection.group('readers'), topic)).get(3)).toBe(2n);
  });

  it('waits for a topic that is not there yet', async () => {
    await remove();
    const { handled, watch } = consume(new Map());
    await waitFor(() => watch.troubles.length > 0, { what: 'the trouble', deadlineMs: DEADLINE_MS });
    await waitFor(() => admin.use((client) => client.createTopics({ waitForLeaders: false, topics: [{ topic, numPartitions: 12 }] })).catch(() => false), { what: 'the topic', deadlineMs: DEADLINE_MS });
    await waitFor(() => send(0, ['a']).then(() => true, () => false), { what: 'its leaders', deadlineMs: DEADLINE_MS });
    await waitFor(() => handled.length > 0, { what: 'the record', deadlineMs: DEADLINE_MS });
    expect(handled).toEqual(['a']);
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PARTITIONS } from '@tokone/events';
import { testServers } from '@tokone/testing';
import type { Consumption, LogBatch, LogConsumer } from '../event-log.js';
import { usageText } from '../fixtures/usage-text.js';
import { CarefulProducer } from './careful-producer.js';
import { deployTo, watchTroubles } from './fixtures/test-kafka.js';
import { KafkaEventLog } from './kafka-event-log.js';
import type { KafkaConnection } from './kafka-connection.js';
import { Watermarks } from './watermark.js';

const ROUNDS = 5;
const RECORDS_PER_SEND = 240;
const DEADLINE_MS = 60_000;

/** What all members of the group have in common: a database that stores each record once, and the cursors. */
class Store {
  readonly firsts = new Map<string, number[]>();
  readonly cursors = new Map<string, bigint>();
  handledTwice = 0;
  private readonly seen = new Set<number>();

  /** A member of its own, which fails now and then, and takes a little time for each batch. */
  consumer(): LogConsumer {
    let batches = 0;
    return {
      batchSize: 40,
      lingerMs: 5,
      cursor: async (partition) => this.cursors.get(partition),
      handle: async (batch) => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        if (++batches % 7 === 0) throw new Error('no database');
        this.store(batch);
      },
    };
  }

  /** As billing does: in one step, each id once. */
  private store({ partition, records, nextOffset }: LogBatch): void {
    const firsts = this.firsts.get(partition) ?? [];
    for (const { event } of records) {
      const number = event!.startedAtMs;
      if (this.seen.has(number)) this.handledTwice++;
      else firsts.push(number);
      this.seen.add(number);
    }
    this.firsts.set(partition, firsts);
    this.cursors.set(partition, nextOffset);
  }
}

let connection: KafkaConnection;
let remove: () => Promise<void>;
beforeAll(async () => {
  ({ connection, remove } = await deployTo(await testServers().kafka()));
});
afterAll(() => remove());

describe('members that join and leave a group without pause, under load', () => {
  it('handle every record, in order within a partition, and leave cursors and watermarks exact', async () => {
    const store = new Store();
    const topic = connection.topic('usage.recorded');
    const producer = new CarefulProducer(connection);
    const join = (): Promise<Consumption> => new KafkaEventLog({ connection, ...watchTroubles() }).consume(store.consumer());
    const members = await Promise.all([join(), join()]);
    let numbers = 0;
    const send = async (): Promise<void> => {
      const records = Array.from({ length: RECORDS_PER_SEND }, () => ({ partition: numbers % PARTITIONS, key: null, value: usageText(numbers++), headers: {} }));
      await producer.send(topic, records);
    };
    for (let round = 0; round < ROUNDS; round++) {
      const third = await join();
      await send();
      await send();
      // The third member has its share before it leaves again, in the middle of it.
      await third.caughtUp(DEADLINE_MS);
      await send();
      await third.stop();
    }
    await members[0]!.stop();
    await members[1]!.caughtUp(DEADLINE_MS);
    expect([...store.firsts.values()].reduce((sum, firsts) => sum + firsts.length, 0)).toBe(numbers);
    expect(store.firsts.size).toBe(PARTITIONS);
    for (const [partition, firsts] of store.firsts) {
      expect(firsts).toEqual([...firsts].sort((a, b) => a - b));
      expect(store.cursors.get(partition)).toBe(BigInt(numbers / PARTITIONS));
    }
    const watermarks = new Watermarks(connection);
    const end = await watermarks.usageEnd();
    expect([...end.values()]).toEqual(Array.from({ length: PARTITIONS }, () => BigInt(numbers / PARTITIONS)));
    expect(await watermarks.usagePassed(end, DEADLINE_MS)).toBe(true);
    await watermarks.close();
    await members[1]!.stop();
    await producer.close();
  });
});

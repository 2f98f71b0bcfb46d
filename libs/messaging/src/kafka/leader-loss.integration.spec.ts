import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PARTITIONS } from '@tokone/events';
import { makeTemporaryFolder, startKafka, waitFor, type KafkaServers, type TemporaryFolder } from '@tokone/testing';
import { CarefulProducer, type UnconfirmedRecords } from './careful-producer.js';
import { connectTo, readTopic } from './fixtures/test-kafka.js';
import { KafkaAdmin } from './kafka-admin.js';
import type { KafkaConnection } from './kafka-connection.js';
import type { ProducedRecord } from './produce-portions.js';
import { ensureTopics } from './topic-setup.js';

const ROUNDS = 6;
const RECORDS_PER_PARTITION = 10;
const SENDS_AFTER_THE_KILL = 5;
const DEADLINE_MS = 60_000;

let folder: TemporaryFolder;
let kafka: KafkaServers;
beforeAll(async () => {
  folder = await makeTemporaryFolder('leader-loss');
  kafka = await startKafka({ folder: folder.path, brokers: 3 });
});
afterAll(async () => {
  await kafka.kill();
  await folder.remove();
});

type Send = (topic: string, records: readonly ProducedRecord[]) => Promise<unknown>;

/** Records that were acknowledged, by their number. */
class Load {
  readonly acknowledged: string[] = [];
  sends = 0;

  constructor(
    private readonly connection: KafkaConnection,
    private readonly send: Send,
  ) {}

  /** One send to all partitions, so to all leaders. */
  async sendOnce(): Promise<void> {
    const records = Array.from({ length: PARTITIONS * RECORDS_PER_PARTITION }, (_, index) => ({
      partition: index % PARTITIONS,
      key: null,
      value: `${this.sends}/${index}`,
      headers: {},
    }));
    this.sends++;
    await this.send(this.connection.topic('usage.recorded'), records);
    this.acknowledged.push(...records.map(({ value }) => value));
  }

  /** Sends without pause while a leader dies, until all of it is acknowledged again; then the leader comes back. */
  async throughTheDeathOfALeader(): Promise<void> {
    const leader = kafka.brokers[(await this.leaderOfMost()) - 1]!;
    let killed: Promise<void> | undefined;
    for (let send = 0; send < 5 + SENDS_AFTER_THE_KILL; send++) {
      const sending = this.sendOnce();
      if (send === 5) killed = leader.kill();
      await sending;
    }
    await killed;
    await leader.start();
    await this.everyReplicaIsBack();
  }

  async lost(): Promise<string[]> {
    const stored = new Set((await readTopic(this.connection, 'usage.recorded')).map(({ value }) => value));
    return this.acknowledged.filter((value) => !stored.has(value));
  }

  private async leaderOfMost(): Promise<number> {
    const counts = new Map<number, number>();
    for (const { leader } of await this.partitions()) counts.set(leader, (counts.get(leader) ?? 0) + 1);
    return [...counts].sort(([, one], [, other]) => other - one)[0]![0];
  }

  private async everyReplicaIsBack(): Promise<void> {
    const inSync = async (): Promise<boolean> => (await this.partitions()).every(({ isr }) => isr.length === 3);
    await waitFor(() => inSync().catch(() => false), { what: 'three replicas in sync', deadlineMs: DEADLINE_MS, intervalMs: 200 });
  }

  private async partitions(): Promise<{ leader: number; isr: number[] }[]> {
    const admin = new KafkaAdmin(this.connection);
    const { topics } = await admin.use((client) => client.fetchTopicMetadata({ topics: [this.connection.topic('usage.recorded')] }));
    await admin.close();
    return topics[0]!.partitions;
  }
}

async function deploy(): Promise<KafkaConnection> {
  const connection = connectTo(kafka.addresses);
  await ensureTopics(connection);
  return connection;
}

describe('the death of a leader during a send to several leaders', () => {
  it('makes the client acknowledge what nobody stored, when it is believed', async () => {
    const connection = await deploy();
    const producer = connection.producer();
    await producer.connect();
    const load = new Load(connection, (topic, records) => producer.send({ topic, acks: -1, messages: records.map((record) => ({ ...record })) }));
    let lost: string[] = [];
    for (let round = 0; round < ROUNDS && lost.length === 0; round++) {
      await load.throughTheDeathOfALeader();
      lost = await load.lost();
    }
    await producer.disconnect();
    if (lost.length === 0) throw new Error(`The client lost nothing in ${ROUNDS} rounds. If it was cured, CarefulProducer may become simple; if not, this test loads it too little.`);
    expect(new Set(lost).size).toBe(lost.length);
  }, 300_000);

  it('loses nothing that CarefulProducer acknowledged', async () => {
    const connection = await deploy();
    const unconfirmed: UnconfirmedRecords[] = [];
    const producer = new CarefulProducer(connection, { onUnconfirmed: (records) => unconfirmed.push(records) });
    const load = new Load(connection, (topic, records) => producer.send(topic, records));
    for (let round = 0; round < ROUNDS && (round < 2 || unconfirmed.length === 0); round++) {
      await load.throughTheDeathOfALeader();
      expect(await load.lost()).toEqual([]);
    }
    await producer.close();
    expect(load.acknowledged.length).toBe(load.sends * PARTITIONS * RECORDS_PER_PARTITION);
    // It was in the same trouble, and noticed.
    expect(unconfirmed.length).toBeGreaterThan(0);
  }, 300_000);
});

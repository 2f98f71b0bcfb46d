import type { Admin } from 'kafkajs';
import { atMost } from './patience.js';
import type { KafkaConnection } from './kafka-connection.js';

/** Offsets of a topic by partition number. */
export type Offsets = ReadonlyMap<number, bigint>;

export interface OffsetRange {
  /** Of the oldest record that is kept. */
  low: bigint;
  /** Behind the last record that is acknowledged. */
  high: bigint;
}

const CLOSE_DEADLINE_MS = 2_000;

/**
 * Questions to the brokers, over a client that is connected when it is needed, and made anew after any failure. One
 * question at a time: a client that is disconnected while it still answers another connects again, and nobody owns that.
 */
export class KafkaAdmin {
  private connected: Promise<Admin> | undefined;
  private turn: Promise<unknown> = Promise.resolve();
  private closed = false;

  constructor(private readonly connection: KafkaConnection) {}

  /** `ask` asks one thing after the other. */
  use<Answer>(ask: (admin: Admin) => Promise<Answer>): Promise<Answer> {
    const answer = this.turn.then(() => this.useInTurn(ask));
    this.turn = answer.catch(() => undefined);
    return answer;
  }

  async ranges(topic: string): Promise<Map<number, OffsetRange>> {
    const found = await this.use((admin) => admin.fetchTopicOffsets(topic));
    return new Map(found.map(({ partition, low, high }) => [partition, { low: BigInt(low), high: BigInt(high) }]));
  }

  /** Of the cluster that answers now; brokers that lost their disks come back under another one. */
  async clusterId(): Promise<string> {
    return (await this.use((admin) => admin.describeCluster())).clusterId;
  }

  /** What the group has committed; a partition of which it has committed nothing is absent. */
  async committed(group: string, topic: string): Promise<Map<number, bigint>> {
    const found = await this.use((admin) => admin.fetchOffsets({ groupId: group, topics: [topic] }));
    const offsets = new Map<number, bigint>();
    for (const { partition, offset } of found[0]?.partitions ?? []) if (BigInt(offset) >= 0n) offsets.set(partition, BigInt(offset));
    return offsets;
  }

  /** A question that is being asked is waited for, but not for long. */
  async close(): Promise<void> {
    this.closed = true;
    await atMost(CLOSE_DEADLINE_MS, this.turn.then(() => this.disconnect()));
  }

  private async useInTurn<Answer>(ask: (admin: Admin) => Promise<Answer>): Promise<Answer> {
    if (this.closed) throw new Error('The Kafka connection is closed.');
    try {
      return await ask(await (this.connected ??= this.connect()));
    } catch (error) {
      await this.disconnect();
      throw error;
    }
  }

  private async connect(): Promise<Admin> {
    const admin = this.connection.admin();
    try {
      await admin.connect();
    } catch (error) {
      await admin.disconnect().catch(() => undefined);
      throw error;
    }
    return admin;
  }

  private async disconnect(): Promise<void> {
    const { connected } = this;
    this.connected = undefined;
    try {
      await (await connected)?.disconnect();
    } catch {
      // It never connected, or its sockets are gone already.
    }
  }
}

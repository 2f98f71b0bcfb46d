import { randomUUID } from 'node:crypto';
import type { TopicName } from '@tokone/events';
import { KafkaConnection, Watermarks } from '@tokone/messaging';
import type { KafkaPlace } from '@tokone/testing';
import { waitFor } from '@tokone/testing';
import { createLogger } from '@tokone/telemetry';

export interface TopicMessage {
  partition: number;
  offset: bigint;
  text: string;
}

const READ_DEADLINE_MS = 60_000;

/** The logs of a deployment, seen from outside of it. */
export class PipelineEnds {
  readonly connection: KafkaConnection;

  constructor({ brokers, topicPrefix }: KafkaPlace) {
    this.connection = new KafkaConnection({ brokers, clientId: 'tests', topicPrefix, logger: createLogger('tests', 'silent'), now: () => Date.now() });
  }

  /** Waits until both groups have committed all that the topics hold, with an empty outbox in between. */
  async passed(outboxEmpty: () => Promise<boolean>, deadlineMs: number): Promise<void> {
    const watermarks = new Watermarks(this.connection);
    try {
      const usage = await this.endOffsets('usage.recorded');
      if (!(await watermarks.usagePassed(usage, deadlineMs))) throw new Error(`billing has not come to the end of usage.recorded within ${deadlineMs} ms`);
      await waitFor(outboxEmpty, { what: 'the outbox to be published', deadlineMs, intervalMs: 100 });
      const charges = await this.endOffsets('charge.rated');
      if (!(await watermarks.chargesPassed(charges, deadlineMs))) throw new Error(`account has not come to the end of charge.rated within ${deadlineMs} ms`);
    } finally {
      await watermarks.close();
    }
  }

  async endOffsets(topic: TopicName): Promise<Map<number, bigint>> {
    const watermarks = new Watermarks(this.connection);
    try {
      return new Map(await watermarks.endOffsets(topic));
    } finally {
      await watermarks.close();
    }
  }

  /** What the group has told Kafka of how far it came, by partition. */
  async committed(group: string, topic: TopicName): Promise<Map<number, bigint>> {
    const admin = this.connection.admin();
    await admin.connect();
    try {
      const [found] = await admin.fetchOffsets({ groupId: this.connection.group(group), topics: [this.connection.topic(topic)] });
      return new Map((found?.partitions ?? []).map(({ partition, offset }) => [partition, BigInt(offset)]));
    } finally {
      await admin.disconnect();
    }
  }

  /** All that a topic holds at the call. */
  async messages(topic: TopicName): Promise<TopicMessage[]> {
    const ends = [...(await this.endOffsets(topic))].filter(([, end]) => end > 0n);
    const found: TopicMessage[] = [];
    if (ends.length === 0) return found;
    const last = new Map<number, bigint>();
    const consumer = this.connection.consumer({ groupId: `reader-${randomUUID()}` });
    await consumer.connect();
    try {
      await consumer.subscribe({ topic: this.connection.topic(topic), fromBeginning: true });
      await consumer.run({
        autoCommit: false,
        eachMessage: async ({ partition, message }) => {
          const offset = BigInt(message.offset);
          last.set(partition, offset);
          found.push({ partition, offset, text: message.value?.toString() ?? '' });
        },
      });
      await waitFor(() => ends.every(([partition, end]) => (last.get(partition) ?? -1n) >= end - 1n), { what: `the messages of ${topic}`, deadlineMs: READ_DEADLINE_MS });
      return found;
    } finally {
      await consumer.disconnect();
    }
  }
}

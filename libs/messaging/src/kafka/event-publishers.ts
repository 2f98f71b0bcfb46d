import { TOPICS, partitionOf, writeAccountChanged, writeChargeRated, writeUsageDead } from '@tokone/events';
import type { AccountChanged, RatedCharge, TopicName, UsageDead } from '@tokone/events';
import { traceparentOf, type Uuid7Source } from '@tokone/protocol';
import type { CarefulProducer } from './careful-producer.js';
import type { KafkaConnection } from './kafka-connection.js';
import type { ProducedRecord } from './produce-portions.js';

export interface PublisherParts {
  connection: KafkaConnection;
  /** The publisher's own: it closes it. */
  producer: CarefulProducer;
}

export interface KafkaChargePublisherParts extends PublisherParts {
  /** Of the published batches. */
  ids: Uuid7Source;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** `charge.rated`, out of billing's outbox. Each `publish` resolves when Kafka has all of it, and may store it twice when it rejects. */
export class KafkaChargePublisher {
  constructor(private readonly parts: KafkaChargePublisherParts) {}

  /** One message for each of the batches and each partition that has accounts of it. */
  async publish(batches: readonly (readonly RatedCharge[])[]): Promise<void> {
    const { connection, producer } = this.parts;
    const records = batches.flatMap((charges) => [...byPartition(charges)].map(([partition, share]) => this.toRecord(partition, share)));
    await producer.send(connection.topic('charge.rated'), records);
  }

  close(): Promise<void> {
    return this.parts.producer.close();
  }

  private toRecord(partition: number, charges: RatedCharge[]): ProducedRecord {
    const id = this.parts.ids.next();
    const traceparent = traceparentOf(id);
    const value = writeChargeRated({ schema: 2, id, at: this.parts.now(), traceparent, charges });
    return { partition, key: `${partition}`, value, headers: headersOf('charge.rated', { id, traceparent }) };
  }
}

/** `account.changed`, out of account's outbox. */
export class KafkaChangePublisher {
  constructor(private readonly parts: PublisherParts) {}

  async publish(events: readonly AccountChanged[]): Promise<void> {
    const { connection, producer } = this.parts;
    await producer.send(connection.topic('account.changed'), events.map(changeRecord));
  }

  close(): Promise<void> {
    return this.parts.producer.close();
  }
}

/** `usage.dead`, out of billing's table of dead records. */
export class KafkaDeadPublisher {
  constructor(private readonly parts: PublisherParts) {}

  async publish(events: readonly UsageDead[]): Promise<void> {
    const { connection, producer } = this.parts;
    const records = events.map((event) => ({ partition: 0, key: event.logPartition, value: writeUsageDead(event), headers: headersOf('usage.dead', event) }));
    await producer.send(connection.topic('usage.dead'), records);
  }

  close(): Promise<void> {
    return this.parts.producer.close();
  }
}

/** In the order of the charges, so that an outbox row's messages are the same whenever it is published. */
export function byPartition(charges: readonly RatedCharge[]): Map<number, RatedCharge[]> {
  const shares = new Map<number, RatedCharge[]>();
  for (const charge of charges) {
    const partition = partitionOf(charge.accountId);
    const share = shares.get(partition);
    if (share) share.push(charge);
    else shares.set(partition, [charge]);
  }
  return shares;
}

function changeRecord(event: AccountChanged): ProducedRecord {
  const key = event.accountId ?? event.groupId ?? event.id;
  return { partition: partitionOf(key), key, value: writeAccountChanged(event), headers: headersOf('account.changed', event) };
}

function headersOf(topic: TopicName, { id, traceparent }: { id: string; traceparent: string | null }): Record<string, string> {
  return { id, schema: `${TOPICS[topic].schemaVersion}`, ...(traceparent !== null && { traceparent }) };
}

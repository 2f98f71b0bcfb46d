import { readAccountChanged } from '@tokone/events';
import type { AccountChangeFeed, AccountChangeListener, AccountChangeSubscription } from '../change-feed.js';
import { GroupConsumption } from './group-consumption.js';
import { KafkaAdmin } from './kafka-admin.js';
import type { KafkaLogOptions } from './kafka-event-log.js';
import { partitionNumberOf } from './partition-name.js';
import type { Slice } from './partition-walk.js';
import { shared } from './patience.js';

export interface KafkaChangeFeedOptions extends KafkaLogOptions {
  /** Of this process alone, new with each start: it is in the name of its group. */
  instanceId: string;
}

const EVENTS_PER_SLICE = 500;

/**
 * `account.changed` from Kafka: a group for each process, so that each gets everything. It begins at the end of the
 * topic; `missedSome` comes after that end is known, so that nothing lies between what a reader asks for then and the
 * first event it is told. An orderly stop deletes the group; what a killed process leaves, the brokers forget in time.
 */
export class KafkaChangeFeed implements AccountChangeFeed {
  constructor(private readonly options: KafkaChangeFeedOptions) {}

  async follow(listener: AccountChangeListener): Promise<AccountChangeSubscription> {
    const { connection, instanceId } = this.options;
    const topic = connection.topic('account.changed');
    const group = connection.group(`changes-${instanceId}`);
    const admin = new KafkaAdmin(connection);
    const ranges = shared(() => admin.ranges(topic));
    const told = new Map<string, bigint>();
    const consumption = new GroupConsumption({
      ...this.options,
      topic,
      group,
      onAssigned: () => listener.missedSome(),
      consumer: {
        batchSize: EVENTS_PER_SLICE,
        lingerMs: 0,
        cursor: async (partition) => told.get(partition) ?? (await ranges()).get(partitionNumberOf(partition))?.high,
        handle: async (slice) => {
          tell(listener, slice);
          told.set(slice.partition, slice.nextOffset);
        },
      },
    });
    return {
      stop: async () => {
        await consumption.stop();
        await admin.use((client) => client.deleteGroups([group])).catch(() => undefined);
        await admin.close();
      },
    };
  }
}

/** A change that cannot be read is one that nobody knows what to forget for: everything. */
function tell(listener: AccountChangeListener, { messages }: Slice): void {
  for (const { value } of messages) {
    try {
      listener.changed(readAccountChanged(value?.toString() ?? ''));
    } catch {
      listener.missedSome();
    }
  }
}

import type { ConsumptionOptions } from '../consumption-trouble.js';
import type { Consumption, EventLog, LogConsumer } from '../event-log.js';
import { readLogRecord } from '../log-record.js';
import { GroupConsumption } from './group-consumption.js';
import type { KafkaConnection } from './kafka-connection.js';

export interface KafkaLogOptions extends ConsumptionOptions {
  connection: KafkaConnection;
  /** A member that is silent for so long loses its partitions to others; at least what the brokers allow, 6 s by default. */
  sessionTimeoutMs?: number;
}

/**
 * `usage.recorded` from Kafka, shared by all members of the group `billing`, in any number of processes. Batches are of
 * one partition each; its name, under which the cursor is stored, is topic and number, the deployment's prefix included.
 */
export class KafkaEventLog implements EventLog {
  constructor(private readonly options: KafkaLogOptions) {}

  async consume(consumer: LogConsumer): Promise<Consumption> {
    const { connection } = this.options;
    return new GroupConsumption({
      ...this.options,
      topic: connection.topic('usage.recorded'),
      group: connection.group('billing'),
      consumer: {
        get batchSize() {
          return consumer.batchSize;
        },
        get lingerMs() {
          return consumer.lingerMs;
        },
        cursor: (partition) => consumer.cursor(partition),
        handle: ({ partition, messages, nextOffset }) =>
          consumer.handle({ partition, nextOffset, records: messages.map(({ offset, value }) => readLogRecord(offset, value)) }),
      },
    });
  }
}

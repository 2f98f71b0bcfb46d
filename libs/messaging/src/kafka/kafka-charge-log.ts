import { readCharges, type RatedCharge } from '@tokone/events';
import type { ChargeLog } from '../charge-log.js';
import type { Consumption } from '../event-log.js';
import { GroupConsumption } from './group-consumption.js';
import { KafkaAdmin } from './kafka-admin.js';
import type { KafkaLogOptions } from './kafka-event-log.js';
import type { Slice } from './partition-walk.js';
import { shared } from './patience.js';

const CHARGES_PER_CALL = 2_000;
/** Of messages, each a batch of billing's, of which a partition gets its share. */
const MESSAGES_PER_SLICE = 100;
const LINGER_MS = 10;

/**
 * `charge.rated` from Kafka, shared by all members of the group `account`. What the group has committed is the cursor:
 * it follows the handler, so a crash repeats some charges, which are posted once by their ids. A message that cannot be
 * read stops its partition, with its trouble told again and again: it is of a schema to come, or money would be lost.
 */
export class KafkaChargeLog implements ChargeLog {
  constructor(private readonly options: KafkaLogOptions) {}

  async consume(handle: (charges: readonly RatedCharge[]) => Promise<void>): Promise<Consumption> {
    const { connection } = this.options;
    const names = { topic: connection.topic('charge.rated'), group: connection.group('account') };
    const admin = new KafkaAdmin(connection);
    const committed = shared(() => admin.committed(names.group, names.topic));
    const consumption = new GroupConsumption({
      ...this.options,
      ...names,
      consumer: {
        batchSize: MESSAGES_PER_SLICE,
        lingerMs: LINGER_MS,
        cursor: async (partition) => (await committed()).get(Number(partition.slice(names.topic.length + 1))),
        handle: async (slice) => {
          const charges = chargesOf(slice);
          for (let from = 0; from < charges.length; from += CHARGES_PER_CALL) await handle(charges.slice(from, from + CHARGES_PER_CALL));
        },
      },
    });
    return {
      caughtUp: (deadlineMs) => consumption.caughtUp(deadlineMs),
      stop: async () => {
        await consumption.stop();
        await admin.close();
      },
    };
  }
}

function chargesOf({ partition, messages }: Slice): RatedCharge[] {
  return messages.flatMap(({ offset, value }) => {
    try {
      return readCharges(value?.toString() ?? '');
    } catch (cause) {
      throw new Error(`the message at ${offset} of ${partition} cannot be read as charge.rated`, { cause });
    }
  });
}

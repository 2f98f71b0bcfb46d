import { readCharges, type RatedCharge } from '@tokone/events';
import type { ChargeLog } from '../charge-log.js';
import type { Consumption } from '../event-log.js';
import { GroupConsumption } from './group-consumption.js';
import type { KafkaLogOptions } from './kafka-event-log.js';
import type { Slice } from './partition-walk.js';

const CHARGES_PER_CALL = 2_000;
/** Of messages, each a batch of billing's, of which a partition gets its share. */
const MESSAGES_PER_SLICE = 100;
const LINGER_MS = 50;

/** Where the poster of charges keeps how far it came: beside what it posted, so that a restored database knows what it lacks. */
export interface ChargeCursors {
  /** Offset of the next message to read; undefined = from the oldest on. */
  read(partition: string): Promise<bigint | undefined>;
  /** Everything before is posted for good. */
  save(partition: string, nextOffset: bigint): Promise<void>;
}

export interface KafkaChargeLogOptions extends KafkaLogOptions {
  cursors: ChargeCursors;
}

/**
 * `charge.rated` from Kafka, shared by all members of the group `account`. The cursor is saved when the charges are
 * posted, so a crash in between repeats some, which are posted once by their ids. A message that cannot be read stops its
 * partition, with its trouble told again and again: it is of a schema to come, or money would be lost.
 */
export class KafkaChargeLog implements ChargeLog {
  constructor(private readonly options: KafkaChargeLogOptions) {}

  async consume(handle: (charges: readonly RatedCharge[]) => Promise<void>): Promise<Consumption> {
    const { connection, cursors } = this.options;
    return new GroupConsumption({
      ...this.options,
      topic: connection.topic('charge.rated'),
      group: connection.group('account'),
      consumer: {
        batchSize: MESSAGES_PER_SLICE,
        lingerMs: LINGER_MS,
        cursor: (partition) => cursors.read(partition),
        handle: async (slice) => {
          const charges = chargesOf(slice);
          for (let from = 0; from < charges.length; from += CHARGES_PER_CALL) await handle(charges.slice(from, from + CHARGES_PER_CALL));
          await cursors.save(slice.partition, slice.nextOffset);
        },
      },
    });
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

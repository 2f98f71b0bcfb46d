import type { RatedCharge } from '@tokone/events';
import type { Consumption } from './event-log.js';

/**
 * The log of `charge.rated`. Drivers: billing's outbox table in one process, Kafka between services.
 * At least once, in any order; posting is idempotent by charge id. A handler that throws gets the batch again.
 */
export interface ChargeLog {
  consume(handle: (charges: readonly RatedCharge[]) => Promise<void>): Promise<Consumption>;
}

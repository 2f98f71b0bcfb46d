import type { Spool } from '@tokone/spool';
import type { ConsumptionOptions } from './consumption-trouble.js';
import type { Consumption, EventLog, LogConsumer } from './event-log.js';
import { SpoolConsumption } from './spool-consumption.js';

/**
 * The log of one process: the gateway's own spool, one partition named after the spool's id, so that a cursor of a
 * folder that was lost is never applied to its successor. What the consumer has handled is released from the spool,
 * which therefore has one consumer at a time.
 */
export class SpoolEventLog implements EventLog {
  private readonly spool: Spool;
  private readonly options: ConsumptionOptions;
  private running: SpoolConsumption | undefined;

  constructor(spool: Spool, options: ConsumptionOptions) {
    this.spool = spool;
    this.options = options;
  }

  async consume(consumer: LogConsumer): Promise<Consumption> {
    if (this.running && !this.running.stopped) {
      throw new Error('The spool has a consumer: what one has handled is deleted, a second would miss it.');
    }
    return (this.running = new SpoolConsumption(this.spool, consumer, this.options));
  }
}

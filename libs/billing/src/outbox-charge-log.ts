import type { RatedCharge } from '@tokone/events';
import { CatchUpError } from '@tokone/messaging';
import type { ChargeLog, Consumption } from '@tokone/messaging';
import { ChargeOutbox } from './charge-outbox.js';
import type { OutboxParts } from './outbox-reader.js';

export type ChargeHandler = (charges: readonly RatedCharge[]) => Promise<void>;

/** Of at most 500 charges each. */
const ROWS_PER_CLAIM = 4;

/**
 * `charge.rated` out of billing's outbox table, for an account service in the same process. At least once, in no
 * order, see `OutboxReader`.
 */
export class OutboxChargeLog implements ChargeLog {
  private readonly outbox: ChargeOutbox;

  constructor(parts: OutboxParts) {
    this.outbox = new ChargeOutbox(parts);
  }

  async consume(handle: ChargeHandler): Promise<Consumption> {
    const failure = 'charges could not be posted';
    const reader = this.outbox.reader({ failure, rowsPerClaim: ROWS_PER_CLAIM, handle: (rows) => handle(rows.flatMap(({ charges }) => charges)) });
    reader.start();
    return {
      caughtUp: async (deadlineMs) => {
        if (!(await this.outbox.passed(deadlineMs))) throw new CatchUpError(`the outbox was not posted within ${deadlineMs} ms`);
      },
      stop: () => reader.stop(),
    };
  }
}

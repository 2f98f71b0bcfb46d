import type { RatedCharge } from '@tokone/events';
import { OneAtATime } from '@tokone/messaging';
import type { ChargeOutbox, ChargeRow } from './charge-outbox.js';
import type { OutboxReader } from './outbox-reader.js';

/** Writes charges to `charge.rated`. */
export interface ChargePublisher {
  /** Resolves when all of these batches are stored for good; rejects when that is not known. */
  publish(batches: readonly (readonly RatedCharge[])[]): Promise<void>;
}

export interface ChargePublicationOptions {
  /** Rows of the outbox that one call of the publisher gets; default 32. */
  rowsPerClaim?: number;
  /** For one call of the publisher; default 5 s. Must be shorter than the pool's statement deadline. */
  publishTimeoutMs?: number;
}

const ROWS_PER_CLAIM = 32;
const PUBLISH_TIMEOUT_MS = 5_000;

/**
 * Billing's outbox → `charge.rated`. Every committed row is published at least once, from what is stored and never
 * from what came in. Any number of replicas publish side by side. While the log is away no transaction is held longer
 * than the deadline of one call: it is rolled back, and tried again after a pause; the publisher never has two calls at
 * once. Owner: start(), stop().
 */
export class ChargePublication {
  private readonly reader: OutboxReader<ChargeRow>;

  constructor(
    private readonly outbox: ChargeOutbox,
    publisher: ChargePublisher,
    { rowsPerClaim = ROWS_PER_CLAIM, publishTimeoutMs = PUBLISH_TIMEOUT_MS }: ChargePublicationOptions = {},
  ) {
    const calls = new OneAtATime(publishTimeoutMs, 'the charges were stored');
    this.reader = outbox.reader({
      failure: 'charges could not be published',
      rowsPerClaim,
      handle: (rows) => calls.run(() => publisher.publish(rows.map(({ charges }) => charges))),
    });
  }

  start(): void {
    this.reader.start();
  }

  /** Whether all that was in the outbox at the time of the call is published within the deadline, by whatever replica. */
  publishedSoFar(deadlineMs: number): Promise<boolean> {
    return this.outbox.passed(deadlineMs);
  }

  /** Finishes the running batch. What is left is published by another replica, or after the next start. */
  stop(): Promise<void> {
    return this.reader.stop();
  }
}

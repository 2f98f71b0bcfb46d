import type { UsageRecorded } from '@tokone/events';

/**
 * The log of `usage.recorded`. Drivers: the gateway's own spool in one process, Kafka between services.
 *
 * Guarantees: every record that was written is handed over at least once, in order within a partition, never
 * skipped. The consumer's own stored cursor is the truth: the log starts each partition from what `cursor` returns
 * and never remembers for the consumer. A handler that throws gets the same batch again, with growing pauses, for ever.
 */
export interface EventLog {
  consume(consumer: LogConsumer): Promise<Consumption>;
}

export interface LogConsumer {
  /** Most records in a batch. */
  batchSize: number;
  /** How long a first record may wait for others, milliseconds. */
  lingerMs: number;
  /** Offset of the next record to read in a partition; undefined = from its beginning. Read once per assignment. */
  cursor(partition: string): Promise<bigint | undefined>;
  /** Must have stored `batch.nextOffset` durably, in one transaction with its effects, when it resolves. */
  handle(batch: LogBatch): Promise<void>;
}

export interface LogBatch {
  partition: string;
  records: LogRecord[];
  /** The cursor after this batch. */
  nextOffset: bigint;
}

/** `event` is undefined for a record that cannot be read: the consumer must keep its bytes as a dead event. */
export interface LogRecord {
  offset: bigint;
  event: UsageRecorded | undefined;
  raw: string;
  /** As they stand in the log, when they are not the UTF-8 of `raw`. */
  bytes?: Uint8Array | undefined;
}

export interface Consumption {
  /** Resolves when all that was in the log at the time of the call has been handled; rejects with a `CatchUpError` after `deadlineMs`. */
  caughtUp(deadlineMs: number): Promise<void>;
  /** Finishes the running batch and stops. */
  stop(): Promise<void>;
}

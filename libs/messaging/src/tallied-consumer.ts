import type { Spool } from '@tokone/spool';
import type { CursorFile, StoredCursor } from './cursor-file.js';
import type { LogBatch, LogConsumer } from './event-log.js';
import { RecordTally } from './record-tally.js';
import type { StoredTally } from './record-tally.js';

export interface TalliedConsumerParts {
  spool: Pick<Spool, 'begin' | 'end'>;
  /** What it hands batches to. Without a cursor of its own it begins where the file says. */
  consumer: Pick<LogConsumer, 'batchSize' | 'lingerMs' | 'handle'> & Partial<Pick<LogConsumer, 'cursor'>>;
  /** Holds the tally, too. */
  cursorFile: CursorFile;
  /** Milliseconds since 1970. */
  now: () => number;
}

/**
 * A consumer of a spool whose events are counted when they are handled, each once: the file has the tally and the place
 * that it is of together. Where the consumer begins before that place, what it reads again is not counted again.
 */
export class TalliedConsumer implements LogConsumer {
  readonly batchSize: number;
  readonly lingerMs: number;
  private tally: RecordTally | undefined;
  private countedTo = 0n;

  constructor(private readonly parts: TalliedConsumerParts) {
    this.batchSize = parts.consumer.batchSize;
    this.lingerMs = parts.consumer.lingerMs;
  }

  /** What is counted until now; undefined before the first look at the file. */
  get tallied(): StoredTally | undefined {
    return this.tally?.store();
  }

  async cursor(logId: string): Promise<bigint | undefined> {
    const { consumer, cursorFile } = this.parts;
    const stored = await cursorFile.readStored(logId);
    const own = await consumer.cursor?.(logId);
    const begun = consumer.cursor === undefined ? stored?.position : own;
    const kept = this.isComplete(stored) ? stored : undefined;
    this.countedTo = kept?.position ?? begun ?? 0n;
    this.tally = new RecordTally(kept?.tally ?? { since: this.countedTo === 0n && this.parts.spool.begin === 0n ? 0 : this.parts.now(), minutes: [] });
    // The consumer's own cursor may be ahead of the file, after a kill: what lies between is handled already, and counted now.
    if (own === undefined) return begun;
    return own < this.countedTo ? own : this.countedTo;
  }

  async handle(batch: LogBatch): Promise<void> {
    const { partition: logId, records, nextOffset } = batch;
    await this.parts.consumer.handle(batch);
    this.tally?.add(this.countedTo === 0n ? records : records.filter(({ offset }) => offset >= this.countedTo));
    // Where the file is the cursor, it is where the log was read, even if that is behind where it stood.
    if (this.parts.consumer.cursor === undefined || nextOffset > this.countedTo) this.countedTo = nextOffset;
    this.parts.cursorFile.save({ logId, position: this.countedTo, ...(this.tally && { tally: this.tally.store() }) });
  }

  /** Not when segments are gone that nobody counted, nor when a power loss took the end that was counted. */
  private isComplete(stored: StoredCursor | undefined): boolean {
    const { begin, end } = this.parts.spool;
    return stored?.tally !== undefined && stored.position >= begin && stored.position <= end;
  }
}

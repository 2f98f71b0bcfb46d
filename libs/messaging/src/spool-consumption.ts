import { SPOOL_RECORD } from '@tokone/events';
import type { Spool } from '@tokone/spool';
import { CatchUpError } from './catch-up-error.js';
import type { ConsumptionOptions, ConsumptionTrouble } from './consumption-trouble.js';
import type { Consumption, LogBatch, LogConsumer, LogRecord } from './event-log.js';
import { toLogRecord } from './log-record.js';
import { retryPauseMs } from './retry-pause.js';
import { WakeUp } from './wake-up.js';

/** The records that are events; all others are the gateway's own. */
const EVENT_TYPES = [SPOOL_RECORD.close, SPOOL_RECORD.refused];
/** Of the log, looked at in one step: OPEN and PROGRESS records between two events cost no more than this at once. */
const STEP_BYTES = 1_048_576;
/** The log is read this often at most, unless it is behind: each read of a busy one would bring a record or two. */
const GATHER_MS = 50;

/** One consumer's walk through a spool: one batch at a time, the next only after the last is handled. */
export class SpoolConsumption implements Consumption {
  private readonly spool: Spool;
  private readonly consumer: LogConsumer;
  private readonly options: ConsumptionOptions;
  private readonly wakeUp = new WakeUp();
  private readonly stopCall = new WakeUp();
  private readonly watchers = new Set<() => void>();
  private readonly stopListening: () => void;
  private readonly done: Promise<void>;
  private stopping = false;
  /** Nothing is handed over any more. */
  stopped = false;
  /** Everything before it is handled; undefined until the cursor is known. */
  private handledTo: bigint | undefined;

  constructor(spool: Spool, consumer: LogConsumer, options: ConsumptionOptions) {
    this.spool = spool;
    this.consumer = consumer;
    this.options = options;
    this.stopListening = spool.onWritten(() => this.wakeUp.call());
    this.done = this.run();
  }

  async caughtUp(deadlineMs: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      let target: bigint | undefined;
      const finish = (error?: Error): void => {
        clearTimeout(timer);
        this.watchers.delete(watch);
        if (error) reject(error);
        else resolve();
      };
      const watch = (): void => {
        if (target !== undefined && this.handledTo !== undefined && this.handledTo >= target) finish();
        else if (this.stopping) finish(new Error('The consumption was stopped before it had caught up.'));
      };
      const timer = setTimeout(() => finish(new CatchUpError(`the log was not caught up with within ${deadlineMs} ms`)), deadlineMs);
      this.watchers.add(watch);
      // What was appended in this turn belongs to the log, too. An error means that it does not.
      this.spool.written({
        spooled: () => {
          target = this.spool.end;
          watch();
        },
      });
    });
  }

  async stop(): Promise<void> {
    this.stopping = true;
    this.wakeUp.call();
    this.stopCall.call();
    await this.done;
  }

  private async run(): Promise<void> {
    const cursor = await this.patiently('cursor', () => this.consumer.cursor(this.spool.id));
    let next = cursor?.value;
    while (!this.stopping) {
      const batch = await this.gather(next);
      if (!batch) break;
      if (batch.records.length > 0 && !(await this.patiently('handle', () => this.consumer.handle(batch)))) break;
      next = batch.nextOffset;
      this.handledTo = next;
      this.spool.release(next);
      this.notify();
      // The beginnings of requests, which are none of ours.
      if (batch.records.length === 0) await this.rest();
    }
    this.stopped = true;
    this.stopListening();
    this.notify();
  }

  /** The next batch; one without records only says how far the log holds nothing for us. Undefined when stopped. */
  private async gather(from: bigint | undefined): Promise<LogBatch | undefined> {
    const records: LogRecord[] = [];
    let position = from;
    const { batchSize, lingerMs } = this.consumer;
    let due = false;
    let linger: NodeJS.Timeout | undefined;
    try {
      while (!this.stopping) {
        const wanted = { records: batchSize - records.length, bytes: STEP_BYTES, types: EVENT_TYPES };
        const page = (await this.patiently('read', () => this.spool.read(position, wanted)))?.value;
        if (!page) return undefined;
        const moved = page.next !== position;
        position = page.next;
        for (const { position: offset, payload } of page.records) records.push(toLogRecord(offset, payload));
        if (records.length >= batchSize || due) return { partition: this.spool.id, records, nextOffset: position };
        if (moved && position < this.spool.end && this.handledTo !== undefined) continue;
        if (records.length === 0 && (moved || this.handledTo === undefined)) {
          return { partition: this.spool.id, records, nextOffset: position };
        }
        if (records.length > 0) {
          linger ??= setTimeout(() => {
            due = true;
            this.wakeUp.call();
          }, lingerMs);
          await this.rest();
        }
        await this.wakeUp.pause();
      }
      return undefined;
    } finally {
      clearTimeout(linger);
    }
  }

  /** Lets others be written. Never longer than a record may wait for them. */
  private rest(): Promise<void> {
    return this.stopCall.pause(Math.min(GATHER_MS, this.consumer.lingerMs));
  }

  /** Does it until it succeeds; undefined when the consumption is stopped in a pause between two attempts. */
  private async patiently<T>(doing: ConsumptionTrouble['doing'], work: () => Promise<T>): Promise<{ value: T } | undefined> {
    for (let failures = 1; ; failures++) {
      try {
        return { value: await work() };
      } catch (cause) {
        const pauseMs = retryPauseMs(failures, this.options.random);
        this.options.onTrouble({ doing, failures, pauseMs, cause });
        if (this.stopping) return undefined;
        await this.stopCall.pause(pauseMs);
        if (this.stopping) return undefined;
      }
    }
  }

  private notify(): void {
    for (const watch of this.watchers) watch();
  }
}

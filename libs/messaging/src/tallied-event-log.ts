import type { Spool } from '@tokone/spool';
import type { CursorFile } from './cursor-file.js';
import type { Consumption, EventLog, LogConsumer } from './event-log.js';
import type { StoredTally } from './record-tally.js';
import { TalliedConsumer } from './tallied-consumer.js';

export interface TalliedEventLogParts {
  spool: Pick<Spool, 'begin' | 'end'>;
  /** Of this spool. */
  log: EventLog;
  cursorFile: CursorFile;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** The log of one process, whose events are counted as its consumer handles them. */
export class TalliedEventLog implements EventLog {
  private consumer: TalliedConsumer | undefined;

  constructor(private readonly parts: TalliedEventLogParts) {}

  get tallied(): StoredTally | undefined {
    return this.consumer?.tallied;
  }

  async consume(consumer: LogConsumer): Promise<Consumption> {
    const { spool, log, cursorFile, now } = this.parts;
    const tallied = new TalliedConsumer({ spool, consumer, cursorFile, now });
    this.consumer = tallied;
    const consumption = await log.consume(tallied);
    return {
      caughtUp: (deadlineMs) => consumption.caughtUp(deadlineMs),
      stop: async () => {
        await consumption.stop();
        await cursorFile.flush();
      },
    };
  }
}

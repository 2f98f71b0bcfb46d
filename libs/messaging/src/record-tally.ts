import { uuid7Ms } from '@tokone/protocol';
import type { LogRecord } from './event-log.js';

/** The events of one minute, by the time that their ids carry, that this gateway handed on. */
export interface TalliedMinute {
  /** Since 1970. */
  minute: number;
  count: number;
  /** All ids, one XOR the other, 32 hex digits. */
  idXor: string;
}

/** As it is stored, beside the cursor that it belongs to. */
export interface StoredTally {
  /** Milliseconds since 1970: every event of an id from then on was counted. 0: every event of this log. */
  since: number;
  minutes: TalliedMinute[];
}

interface CountedMinute {
  count: number;
  idXor: bigint;
  /** As it was stored since it changed last. */
  written: TalliedMinute | undefined;
}

const MINUTE_MS = 60_000;
/** Two hours and some: reconciliation looks back for one, and a full one for two. */
const KEPT_MINUTES = 130;
/** As `writeUsageRecorded` begins a text. */
const HEAD = /^\{"schema":2,"id":"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"/;

/**
 * Counts each event of a log once: the owner adds the records of a batch after it was handed on, in the log's order, and
 * stores the tally with the cursor behind them, in one file. Whoever begins at that cursor again goes on counting there.
 */
export class RecordTally {
  private readonly minutes = new Map<number, CountedMinute>();
  private since: number;

  constructor(stored: StoredTally) {
    this.since = stored.since;
    for (const { minute, count, idXor } of stored.minutes) this.minutes.set(minute, { count, idXor: BigInt(`0x${idXor}`), written: undefined });
  }

  add(records: readonly LogRecord[]): void {
    for (const record of records) {
      const id = HEAD.exec(record.raw)?.[1] ?? record.event?.id;
      if (id !== undefined) this.count(id);
    }
    this.forgetOld();
  }

  store(): StoredTally {
    // Stored with every batch, of which most change one minute of many.
    const minutes = Array.from(this.minutes, ([minute, counted]) => (counted.written ??= { minute, count: counted.count, idXor: counted.idXor.toString(16).padStart(32, '0') }));
    return { since: this.since, minutes };
  }

  private count(id: string): void {
    const minute = Math.floor(uuid7Ms(id) / MINUTE_MS);
    const known = this.minutes.get(minute);
    const bits = BigInt(`0x${id.replaceAll('-', '')}`);
    if (known === undefined) this.minutes.set(minute, { count: 1, idXor: bits, written: undefined });
    else {
      known.count++;
      known.idXor ^= bits;
      known.written = undefined;
    }
  }

  /** The oldest minutes: an event of a minute that was forgotten begins it anew, and that minute is below `since` then. */
  private forgetOld(): void {
    if (this.minutes.size <= KEPT_MINUTES) return;
    const kept = [...this.minutes.keys()].sort((one, other) => one - other);
    for (const minute of kept.slice(0, kept.length - KEPT_MINUTES)) {
      this.minutes.delete(minute);
      this.since = Math.max(this.since, (minute + 1) * MINUTE_MS);
    }
  }
}

/** What a file says, or undefined when it is no tally. */
export function readTally(json: unknown): StoredTally | undefined {
  const { since, minutes } = (json ?? {}) as Partial<StoredTally>;
  if (typeof since !== 'number' || !Array.isArray(minutes)) return undefined;
  const isRight = minutes.every(({ minute, count, idXor }) => Number.isSafeInteger(minute) && Number.isSafeInteger(count) && /^[0-9a-f]{32}$/.test(String(idXor)));
  return isRight ? { since, minutes } : undefined;
}

import { isUtf8 } from 'node:buffer';
import { readUsageRecorded, type UsageRecorded } from '@tokone/events';
import type { LogRecord } from './event-log.js';

/** A record as it stands in the log. One that cannot be read is the consumer's to keep: stopping for it would stop every charge behind it. */
export function toLogRecord(offset: bigint, raw: string): LogRecord {
  return new TextRecord(offset, raw);
}

/** The same of bytes; null is a record without a value. */
export function readLogRecord(offset: bigint, bytes: Buffer | null): LogRecord {
  if (bytes === null) return new TextRecord(offset, '');
  return new TextRecord(offset, bytes.toString('utf8'), isUtf8(bytes) ? undefined : bytes);
}

/** Its text is read when somebody first asks for the event: whoever only passes it on does not pay for that. */
class TextRecord implements LogRecord {
  private read: { event: UsageRecorded | undefined } | undefined;

  constructor(
    readonly offset: bigint,
    readonly raw: string,
    readonly bytes?: Buffer | undefined,
  ) {}

  get event(): UsageRecorded | undefined {
    return (this.read ??= { event: readOrUndefined(this.raw) }).event;
  }
}

function readOrUndefined(raw: string): UsageRecorded | undefined {
  try {
    return readUsageRecorded(raw);
  } catch {
    return undefined;
  }
}

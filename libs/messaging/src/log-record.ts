import { readUsageRecorded, type UsageRecorded } from '@tokone/events';
import type { LogRecord } from './event-log.js';

/** A record as it stands in the log. One that cannot be read is the consumer's to keep: stopping for it would stop every charge behind it. */
export function toLogRecord(offset: bigint, raw: string): LogRecord {
  return { offset, event: readOrUndefined(raw), raw };
}

function readOrUndefined(raw: string): UsageRecorded | undefined {
  try {
    return readUsageRecorded(raw);
  } catch {
    return undefined;
  }
}

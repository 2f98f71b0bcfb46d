import { describe, expect, it } from '@jest/globals';
import { usageText } from './fixtures/usage-text.js';
import { readLogRecord, toLogRecord } from './log-record.js';

describe('a record of the log', () => {
  it('is its event, which is read when somebody asks for it', () => {
    const record = readLogRecord(7n, Buffer.from(usageText(3)));
    expect([record.offset, record.raw, record.bytes, record.event?.startedAtMs]).toEqual([7n, usageText(3), undefined, 3]);
    expect(record.event).toBe(record.event);
  });

  it.each(['', '{"schema":2', 'null'])('%j cannot be read, and says so', (raw) => {
    expect([toLogRecord(1n, raw).event, readLogRecord(1n, Buffer.from(raw)).event]).toEqual([undefined, undefined]);
  });

  it('keeps bytes that are no text, and takes none for an empty one', () => {
    const bytes = Buffer.from('00fffe', 'hex');
    expect(readLogRecord(1n, bytes)).toMatchObject({ bytes, event: undefined });
    expect([readLogRecord(1n, null).raw, readLogRecord(1n, null).event]).toEqual(['', undefined]);
  });
});

import { describe, expect, it } from '@jest/globals';
import { Uuid7Source } from '@tokone/protocol';
import { ACCOUNT, usageText } from './fixtures/usage-text.js';
import { readLogRecord, toLogRecord } from './log-record.js';
import { RecordTally, readTally } from './record-tally.js';

const MINUTE_MS = 60_000;
const NOTHING = { since: 0, minutes: [] };

/** An event whose id is of this minute. */
function event(minute: number): ReturnType<typeof toLogRecord> {
  const id = new Uuid7Source(() => minute * MINUTE_MS).next();
  return toLogRecord(1n, usageText(1, ACCOUNT).replace(/"id":"[^"]+"/, `"id":"${id}"`));
}

describe('a tally', () => {
  it('keeps two hours and some, and says from when on it is whole', () => {
    const tally = new RecordTally(NOTHING);
    for (let minute = 1; minute <= 140; minute++) tally.add([event(minute), event(minute)]);
    const { since, minutes } = tally.store();
    expect({ since, first: minutes[0]?.minute, kept: minutes.length, counts: new Set(minutes.map(({ count }) => count)) }).toEqual({ since: 11 * MINUTE_MS, first: 11, kept: 130, counts: new Set([2]) });
  });

  it('goes on from what was stored, and what was stored stays as it was', () => {
    const first = new RecordTally(NOTHING);
    first.add([event(5)]);
    const stored = first.store();
    const second = new RecordTally(structuredClone(stored));
    expect(second.store()).toEqual(stored);
    first.add([event(5)]);
    expect([stored.minutes[0]?.count, first.store().minutes[0]?.count]).toEqual([1, 2]);
  });

  it('counts nothing whose id cannot be read, and ids in events of another form', () => {
    const tally = new RecordTally(NOTHING);
    const spaced = JSON.stringify(JSON.parse(usageText(1, ACCOUNT)), null, 1);
    tally.add([toLogRecord(1n, 'torn'), readLogRecord(2n, null), toLogRecord(3n, spaced)]);
    expect(tally.store().minutes.map(({ count }) => count)).toEqual([1]);
  });
});

describe('a stored tally', () => {
  it.each([undefined, null, 5, {}, { since: 'x', minutes: [] }, { since: 0, minutes: [{ minute: 1, count: 1, idXor: 'short' }] }, { since: 0, minutes: [{ minute: 0.5, count: 1, idXor: '0'.repeat(32) }] }])('is none when it is %j', (json) => {
    expect(readTally(json)).toBeUndefined();
  });

  it('is read as it was written', () => {
    const stored = { since: 3, minutes: [{ minute: 1, count: 1, idXor: '0'.repeat(32) }] };
    expect(readTally(JSON.parse(JSON.stringify(stored)))).toEqual(stored);
  });
});

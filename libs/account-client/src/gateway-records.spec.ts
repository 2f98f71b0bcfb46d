import { describe, expect, it } from '@jest/globals';
import { MOST_LOST, readRecordReport, recordsQuestion } from './gateway-records.js';

const REPORT = { gatewayId: 'a', sinceMs: 0, minutes: [{ minute: 5, count: 2, idXor: 'f'.repeat(32) }], lost: ['one'] };

describe('the report of a gateway', () => {
  it('is read as it was written', () => {
    expect(readRecordReport(JSON.parse(JSON.stringify(REPORT)))).toEqual(REPORT);
  });

  it.each([
    ['without minutes', { ...REPORT, minutes: undefined }],
    ['with a count below 0', { ...REPORT, minutes: [{ minute: 5, count: -1, idXor: 'f'.repeat(32) }] }],
    ['with half an id', { ...REPORT, minutes: [{ minute: 5, count: 1, idXor: 'ff' }] }],
    ['with more lost requests than are told', { ...REPORT, lost: Array.from({ length: MOST_LOST + 1 }, () => 'x') }],
  ])('is none %s', (_what, json) => {
    expect(() => readRecordReport(json)).toThrow();
  });

  it('is waited for a minute at most', () => {
    expect(recordsQuestion.parse({ waitMs: '60000' })).toEqual({ waitMs: 60_000 });
    expect(() => recordsQuestion.parse({ waitMs: '60001' })).toThrow();
  });
});

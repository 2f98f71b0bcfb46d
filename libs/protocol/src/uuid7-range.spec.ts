import { describe, expect, it } from '@jest/globals';
import { FIRST_ID, LAST_ID, firstIdOf } from './uuid7-range.js';
import { Uuid7Source } from './uuid7.js';

describe('a range of ids by time', () => {
  it('holds the ids of its milliseconds and none of those beside them', () => {
    let nowMs = 1_764_000_000_000;
    const ids = new Uuid7Source(() => nowMs);
    const before = ids.next();
    nowMs++;
    const within = ids.next();
    nowMs++;
    const behind = ids.next();
    const [from, to] = [firstIdOf(nowMs - 1), firstIdOf(nowMs)];
    expect([before, within, behind].map((id) => id > from && id <= to)).toEqual([false, true, false]);
  });

  it('never leaves what a UUID can say', () => {
    expect(firstIdOf(-5)).toBe(FIRST_ID);
    expect(firstIdOf(Number.MAX_SAFE_INTEGER) < LAST_ID).toBe(true);
    expect(firstIdOf(0xffff_ffff_ffff)).toHaveLength(36);
  });
});

import { describe, expect, it } from '@jest/globals';
import { DeadLimit, deadLimitsOf } from './dead-limit.js';

function limitAt(limits = {}): { limit: DeadLimit; clock: { nowMs: number } } {
  const clock = { nowMs: 1_000_000 };
  return { limit: new DeadLimit(() => clock.nowMs, limits), clock };
}

describe('how many records may die', () => {
  it.each([
    [1, 5],
    [60, 5],
    [500, 5],
    [600, 6],
    [1_200, 12],
    [100_000, 20],
  ])('of a batch of %d: %d', (batchSize, expected) => {
    expect(limitAt().limit.allowance(batchSize)).toBe(expected);
  });

  it('fewer as they die, none after twenty within a minute, and again as the minute passes', () => {
    const { limit, clock } = limitAt();
    for (const [count, left] of [[5, 5], [5, 5], [7, 3], [3, 0]] as const) {
      limit.note(count);
      expect(limit.allowance(500)).toBe(left);
      clock.nowMs += 10_000;
    }
    clock.nowMs += 19_999;
    expect(limit.allowance(500)).toBe(0);
    clock.nowMs += 1;
    expect(limit.allowance(500)).toBe(5);
  });

  it('does not depend on a clock that was set back', () => {
    const { limit, clock } = limitAt();
    limit.note(20);
    clock.nowMs -= 3_600_000;
    expect(limit.allowance(500)).toBe(5);
  });

  it('is what one number says: so many in a minute, a quarter of them in a batch', () => {
    expect(deadLimitsOf(20)).toEqual({ perMinute: 20, perBatch: 5 });
    const { limit } = limitAt(deadLimitsOf(1_001));
    expect(limit.allowance(10)).toBe(251);
    limit.note(1_000);
    expect(limit.allowance(500)).toBe(1);
  });
});

describe('the alarm', () => {
  it('is due once a minute', () => {
    const { limit, clock } = limitAt();
    expect([limit.alarm(), limit.alarm()]).toEqual([true, false]);
    clock.nowMs += 60_000;
    expect([limit.alarm(), limit.alarm()]).toEqual([true, false]);
  });
});

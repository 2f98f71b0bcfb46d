import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { MinuteWindow } from './minute-window.js';

interface Entry {
  second: number;
  amount: number;
}

/** The same promise without cells: every amount with its second. */
class NaiveLog {
  entries: Entry[] = [];
  second = Number.NEGATIVE_INFINITY;

  moveTo(nowMs: number): number {
    const second = Math.floor(nowMs / 1000);
    if (this.second - second >= 61) [this.entries, this.second] = [[], second];
    this.second = Math.max(this.second, second);
    this.entries = this.entries.filter((entry) => this.second - entry.second <= 60);
    return this.second;
  }

  get total(): number {
    return this.entries.reduce((sum, { amount }) => sum + amount, 0);
  }

  add(amount: number): void {
    this.entries.push({ second: this.second, amount });
  }

  correct(second: number, by: number): void {
    const there = this.entries.filter((entry) => entry.second === second);
    const before = there.reduce((sum, { amount }) => sum + amount, 0);
    if (this.second - second <= 60 && second <= this.second) this.entries.push({ second, amount: Math.max(by, -before) });
    else this.add(Math.max(0, by));
  }

  waitMs(leaving: number, nowMs: number): number {
    let [left, at] = [leaving, this.second - 60];
    for (; at < this.second; at++) {
      const second = at;
      left -= this.entries.filter((entry) => entry.second === second).reduce((sum, { amount }) => sum + amount, 0);
      if (left <= 0) break;
    }
    return Math.ceil((at + 61) * 1000 - nowMs);
  }
}

type Step = { passMs: number } & ({ add: number } | { correctBack: number; by: number } | { leaving: number });

const step: fc.Arbitrary<Step> = fc.record({ passMs: fc.oneof(fc.integer({ min: -3_000, max: 2_500 }), fc.integer({ min: 0, max: 70_000 }), fc.integer({ min: -200_000, max: 0 })) }).chain((pass) =>
  fc.oneof(
    fc.record({ add: fc.integer({ min: 0, max: 1_000 }) }),
    fc.record({ correctBack: fc.integer({ min: -1, max: 65 }), by: fc.integer({ min: -1_500, max: 1_500 }) }),
    fc.record({ leaving: fc.integer({ min: 1, max: 3_000 }) }),
  ).map((action) => ({ ...pass, ...action })),
);

describe('the window of a minute', () => {
  it('has at every moment what a log of all amounts has, and waits as long', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2_000_000_000_000 }), fc.array(step, { maxLength: 80 }), (startMs, steps) => {
        const [window, log] = [new MinuteWindow(), new NaiveLog()];
        let nowMs = startMs;
        for (const taken of steps) {
          nowMs = Math.max(0, nowMs + taken.passMs);
          const second = log.moveTo(nowMs);
          expect(window.moveTo(nowMs)).toBe(second);
          if ('add' in taken) for (const one of [window, log]) one.add(taken.add);
          else if ('by' in taken) for (const one of [window, log]) one.correct(second - taken.correctBack, taken.by);
          else expect(window.waitMs(taken.leaving, nowMs)).toBe(log.waitMs(taken.leaving, nowMs));
          expect(window.total).toBe(log.total);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('never lets more through in any 60 s than its limit, whatever the arrivals', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.array(fc.integer({ min: 0, max: 9_000 }), { minLength: 50, maxLength: 200 }), (limit, gapsMs) => {
        const window = new MinuteWindow();
        const admittedAtMs: number[] = [];
        let nowMs = 999;
        for (const gapMs of gapsMs) {
          nowMs += gapMs;
          window.moveTo(nowMs);
          if (window.total + 1 > limit) continue;
          window.add(1);
          admittedAtMs.push(nowMs);
        }
        for (let index = limit; index < admittedAtMs.length; index++) expect(admittedAtMs[index]! - admittedAtMs[index - limit]!).toBeGreaterThan(60_000);
      }),
    );
  });
});

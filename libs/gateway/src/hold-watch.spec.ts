import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { HoldWatch } from './hold-watch.js';
import type { HoldVerdict } from './hold-watch.js';
import { STEP_TOKENS } from './request-plan.js';

/** One nano-USD a token; input 100, so that 1,100 held pay 1,000 tokens. */
const base = { inputNanoUsd: 100n, outputNanoUsdPerMillion: 1_000_000n };
const stream = { ...base, holdNanoUsd: 1_100n, whole: false, extendable: true };

describe('a hold that covers the worst case', () => {
  it('is not watched', () => {
    expect(new HoldWatch({ ...stream, whole: true, extendable: false }).judge(10 ** 9)).toBe('go');
  });
});

describe('a hold that can be extended', () => {
  it.each<[number, HoldVerdict]>([[0, 'go'], [800, 'go'], [801, 'extend'], [1_000, 'extend'], [5_000, 'extend']])('at %d of 1,000 paid tokens says %s', (tokens, verdict) => {
    expect(new HoldWatch(stream).judge(tokens)).toBe(verdict);
  });

  it.each<[number, HoldVerdict]>([[801, 'go'], [1_000, 'go'], [1_001, 'wait']])('that is being extended says at %d tokens %s', (tokens, verdict) => {
    const watch = new HoldWatch(stream);
    watch.ask();
    expect(watch.judge(tokens)).toBe(verdict);
  });

  it('pays for so much more after a whole step, and may be extended again', () => {
    const watch = new HoldWatch(stream);
    watch.ask();
    watch.extended(BigInt(STEP_TOKENS));
    expect([watch.held, watch.stepNanoUsd]).toEqual([1_100n + BigInt(STEP_TOKENS), BigInt(STEP_TOKENS)]);
    expect(watch.judge(4_076)).toBe('go');
    expect(watch.judge(4_077)).toBe('extend');
  });

  it('is asked for again only when it is needed, after less than a step: other requests end, balances are topped up', () => {
    const watch = new HoldWatch(stream);
    watch.ask();
    watch.extended(10n);
    expect([watch.judge(1_010), watch.judge(1_011)]).toEqual(['go', 'extend']);
    watch.ask();
    watch.extended(500n);
    expect([watch.judge(1_510), watch.judge(1_511)]).toEqual(['go', 'extend']);
  });

  it('is at its end when an extension that is needed brings nothing', () => {
    const watch = new HoldWatch(stream);
    expect(watch.judge(900)).toBe('extend');
    watch.ask();
    watch.extended(0n);
    expect([watch.judge(1_000), watch.judge(1_001)]).toEqual(['go', 'extend']);
    watch.ask();
    watch.extended(0n);
    expect([watch.judge(1_000), watch.judge(1_001)]).toEqual(['go', 'exhausted']);
  });

  it('is at its end when the client has left', () => {
    const watch = new HoldWatch(stream);
    watch.freeze();
    expect([watch.judge(1_000), watch.judge(1_001)]).toEqual(['go', 'exhausted']);
  });

  it('still waits for an answer when the client leaves meanwhile, and then asks no more', () => {
    const watch = new HoldWatch(stream);
    watch.ask();
    watch.freeze();
    expect(watch.judge(1_001)).toBe('wait');
    watch.extended(BigInt(STEP_TOKENS));
    expect([watch.judge(5_096), watch.judge(5_097)]).toEqual(['go', 'exhausted']);
  });
});

describe('a hold that cannot be extended', () => {
  it('pays what it pays', () => {
    const watch = new HoldWatch({ ...stream, extendable: false });
    expect([watch.judge(1_000), watch.judge(1_001)]).toEqual(['go', 'exhausted']);
  });

  it('pays for nothing where it does not even cover the input', () => {
    expect(new HoldWatch({ ...stream, holdNanoUsd: 50n, extendable: false }).judge(1)).toBe('exhausted');
  });
});

describe('any course of events', () => {
  const event = fc.oneof(
    fc.record({ kind: fc.constant('tokens' as const), by: fc.nat({ max: 3_000 }) }),
    fc.record({ kind: fc.constant('answer' as const), by: fc.nat({ max: 2 * STEP_TOKENS }) }),
    fc.record({ kind: fc.constant('leave' as const), by: fc.constant(0) }),
  );

  it('never lets a token go that is not paid', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), fc.nat({ max: 5_000 }), fc.bigInt({ min: 1n, max: 30_000_000n }), (events, hold, perMillion) => {
        const watch = new HoldWatch({ inputNanoUsd: 100n, outputNanoUsdPerMillion: perMillion, holdNanoUsd: BigInt(hold), whole: false, extendable: true });
        let tokens = 0;
        let asking = false;
        for (const { kind, by } of events) {
          if (kind === 'leave') watch.freeze();
          else if (kind === 'tokens') tokens += by;
          else if (asking) {
            asking = false;
            watch.extended(BigInt(by) < watch.stepNanoUsd ? BigInt(by) : watch.stepNanoUsd);
          }
          let verdict = watch.judge(tokens);
          if (verdict === 'extend') {
            expect(asking).toBe(false);
            asking = true;
            watch.ask();
            verdict = watch.judge(tokens);
            expect(verdict).not.toBe('extend');
          }
          if (verdict === 'go') expect(BigInt(tokens) * perMillion <= (watch.held - 100n) * 1_000_000n || tokens === 0).toBe(true);
          if (verdict === 'wait') expect(asking).toBe(true);
          if (verdict === 'exhausted') return;
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

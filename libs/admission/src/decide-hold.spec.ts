import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { HoldRule } from './admission.js';
import { decideHold } from './decide-hold.js';

/** Input 10, worst output 1,000, first step 40, unless said otherwise. */
function rule(mode: HoldRule['mode'], change: Partial<Omit<HoldRule, 'mode'>> = {}): HoldRule {
  return { inputNanoUsd: 10n, worstNanoUsd: 1_010n, firstStepNanoUsd: 40n, ...change, mode };
}

describe('how much is held', () => {
  it.each<[string, HoldRule, bigint, { hold: bigint; extendable: boolean; whole: boolean }]>([
    ['the worst case of a stream at a quarter of the balance', rule('stream'), 4_040n, { hold: 1_010n, extendable: false, whole: true }],
    ['the worst case of any request below a quarter', rule('no_limit'), 1_000_000n, { hold: 1_010n, extendable: false, whole: true }],
    ['a quarter for a stream whose worst case is one nano-USD beyond it', rule('stream'), 4_039n, { hold: 1_009n, extendable: true, whole: false }],
    ['a quarter for a stream on a middling balance', rule('stream'), 2_000n, { hold: 500n, extendable: true, whole: false }],
    ['input and the first step for a stream where a quarter is less', rule('stream'), 100n, { hold: 50n, extendable: true, whole: false }],
    ['input and the first step for a stream on an empty balance', rule('stream'), 0n, { hold: 50n, extendable: true, whole: false }],
    ['input and the first step for a stream on a debt', rule('stream'), -1_000n, { hold: 50n, extendable: true, whole: false }],
    ['the worst case of a stream that is not more than its first step', rule('stream', { worstNanoUsd: 50n }), 100n, { hold: 50n, extendable: false, whole: true }],
    ['the first step on top of an input that alone is more than a quarter', rule('stream', { inputNanoUsd: 600n, worstNanoUsd: 1_600n }), 2_000n, { hold: 640n, extendable: true, whole: false }],
    ['the stated limit, whatever the balance', rule('limit_stated'), 100n, { hold: 1_010n, extendable: false, whole: true }],
    ['a quarter without a limit, not to be extended', rule('no_limit'), 2_000n, { hold: 500n, extendable: false, whole: false }],
    ['input and the first step without a limit on a small balance', rule('no_limit'), 100n, { hold: 50n, extendable: false, whole: false }],
    ['nothing for what is free', rule('stream', { inputNanoUsd: 0n, worstNanoUsd: 0n, firstStepNanoUsd: 0n }), 0n, { hold: 0n, extendable: false, whole: true }],
  ])('is %s', (_title, amount, availableNanoUsd, { hold, extendable, whole }) => {
    expect(decideHold(amount, availableNanoUsd)).toEqual({ holdNanoUsd: hold, extendable, whole });
  });

  it('always pays input and a first step, never more than the worst case, and is watched unless it is whole', () => {
    const amounts = fc.record({ input: fc.nat(), step: fc.nat(), more: fc.nat(), available: fc.integer(), mode: fc.constantFrom('stream' as const, 'limit_stated' as const, 'no_limit' as const) });
    fc.assert(
      fc.property(amounts, ({ input, step, more, available, mode }) => {
        const amount = { inputNanoUsd: BigInt(input), firstStepNanoUsd: BigInt(step), worstNanoUsd: BigInt(input + step + more), mode };
        const { holdNanoUsd, extendable, whole } = decideHold(amount, BigInt(available));
        expect(holdNanoUsd).toBeGreaterThanOrEqual(amount.inputNanoUsd + amount.firstStepNanoUsd);
        expect(holdNanoUsd).toBeLessThanOrEqual(amount.worstNanoUsd);
        expect(whole).toBe(holdNanoUsd === amount.worstNanoUsd);
        expect(extendable).toBe(mode === 'stream' && !whole);
      }),
      { numRuns: 1_000 },
    );
  });
});

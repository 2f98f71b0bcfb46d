import { describe, expect, it } from '@jest/globals';
import { noTokens } from '@tokone/protocol';
import type { TokenClass, TokenUsage } from '@tokone/protocol';
import fc from 'fast-check';
import { estimateHold, tokensFor, tokensNanoUsd } from './hold-estimate.js';
import type { HoldEstimateInput } from './hold-estimate.js';
import type { ClassPrices, PriceSnapshot } from './price-snapshot.js';
import { UnpricedError, rateUsage } from './rate.js';

function priceOf(prices: ClassPrices, above?: ClassPrices): PriceSnapshot {
  const bands = [{ aboveInputTokens: 0, nanoUsdPerMillion: prices }, ...(above ? [{ aboveInputTokens: 1_000, nanoUsdPerMillion: above }] : [])];
  return { id: 'p@1', model: 'm', platform: 'openai', maxInputTokens: 1e6, maxOutputTokens: 1e5, tiers: { default: bands }, unitNanoUsd: { web_search: 10_000_000n } };
}

const plain: HoldEstimateInput = { inputTokens: 100, worstOutputTokens: 10_000, firstStepTokens: 4_096, tier: 'default', multiplierPpm: 1_000_000, inputClasses: [], units: {} };
const usual = priceOf({ input: 2_000_000_000n, cacheRead: 200_000_000n, cacheWrite5m: 2_500_000_000n, output: 8_000_000_000n }, { input: 4_000_000_000n, output: 6_000_000_000n });

describe('the hold of a request', () => {
  it.each<[string, Partial<HoldEstimateInput>, { input: bigint; worst: bigint; step: bigint }]>([
    ['is input and worst output at list price', {}, { input: 200_000n, worst: 80_200_000n, step: 32_768_000n }],
    ['has a step of the worst case where that is less', { worstOutputTokens: 10 }, { input: 200_000n, worst: 280_000n, step: 80_000n }],
    ['takes the multiplier into all parts', { multiplierPpm: 500_000 }, { input: 100_000n, worst: 40_100_000n, step: 16_384_000n }],
    ['takes the dearest input class that can apply', { inputClasses: ['cacheWrite5m'] }, { input: 250_000n, worst: 80_250_000n, step: 32_768_000n }],
    ['stays in the first band at its threshold', { inputTokens: 1_000 }, { input: 2_000_000n, worst: 82_000_000n, step: 32_768_000n }],
    ['takes the dearest price of each kind over the bands that it can reach', { inputTokens: 1_001 }, { input: 4_004_000n, worst: 84_004_000n, step: 32_768_000n }],
    ['holds for the calls of hosted tools', { units: { web_search: 10 } }, { input: 100_200_000n, worst: 180_200_000n, step: 32_768_000n }],
    ['uses default prices for a tier without its own', { tier: 'flex' }, { input: 200_000n, worst: 80_200_000n, step: 32_768_000n }],
  ])('%s', (_title, change, expected) => {
    const { inputNanoUsd, worstNanoUsd, firstStepNanoUsd } = estimateHold(usual, { ...plain, ...change });
    expect({ input: inputNanoUsd, worst: worstNanoUsd, step: firstStepNanoUsd }).toEqual(expected);
  });

  it('rounds each part up', () => {
    const { inputNanoUsd, worstNanoUsd } = estimateHold(priceOf({ input: 1n, output: 1n }), { ...plain, inputTokens: 1, worstOutputTokens: 1, multiplierPpm: 1 });
    expect([inputNanoUsd, worstNanoUsd]).toEqual([1n, 2n]);
  });

  it('is at the price of the dearest kind of output', () => {
    const voice = priceOf({ input: 1_000_000n, output: 1_000_000n, outputAudio: 9_000_000n });
    expect(estimateHold(voice, { ...plain, worstOutputTokens: 1 }).outputNanoUsdPerMillion).toBe(9_000_000n);
  });

  it('needs a price for each hosted tool', () => {
    expect(() => estimateHold(usual, { ...plain, units: { code_execution: 1 } })).toThrow(UnpricedError);
  });

  it('needs a price for output', () => {
    expect(() => estimateHold(priceOf({ input: 1n }), plain)).toThrow(UnpricedError);
  });
});

const price = fc.oneof(fc.bigInt({ min: 0n, max: 200_000_000_000n }), fc.bigInt({ min: 0n, max: 2_000_000n }));
const optional = fc.option(price, { nil: undefined });
const prices = fc
  .record({ input: price, output: price, cacheRead: optional, cacheWrite5m: optional, cacheWrite1h: optional, inputAudio: optional, reasoning: optional })
  .map((all) => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as ClassPrices);
const EXTRA = ['cacheWrite5m', 'cacheWrite1h', 'inputAudio'] as const satisfies readonly TokenClass[];
const multiplierPpm = fc.oneof(fc.constant(1_000_000), fc.nat({ max: 3_000_000 }));

/** Shares of a whole, as counts that add up to at most `most`. */
function within(most: number, shares: readonly number[]): number[] {
  const all = shares.reduce((sum, share) => sum + share, 0);
  return shares.map((share) => (all === 0 ? 0 : Math.floor((share / Math.max(all, 100)) * most)));
}

describe('every charge of a usage within the estimate', () => {
  it('is at most what was held', () => {
    const input = fc.record({
      low: prices,
      high: prices,
      inputTokens: fc.nat({ max: 3_000 }),
      worstOutputTokens: fc.nat({ max: 3_000 }),
      multiplierPpm,
      classes: fc.subarray([...EXTRA]),
      inputShares: fc.array(fc.nat({ max: 100 }), { minLength: 5, maxLength: 5 }),
      outputShares: fc.array(fc.nat({ max: 100 }), { minLength: 2, maxLength: 2 }),
      searches: fc.nat({ max: 10 }),
    });
    fc.assert(
      fc.property(input, ({ low, high, classes, inputShares, outputShares, searches, ...size }) => {
        const snapshot = priceOf(low, high);
        const allowed: TokenClass[] = ['input', 'cacheRead', ...classes];
        const tokens: TokenUsage = noTokens();
        within(size.inputTokens, inputShares.slice(0, allowed.length)).forEach((count, index) => (tokens[allowed[index] as TokenClass] = count));
        [tokens.output = 0, tokens.reasoning = 0] = within(size.worstOutputTokens, outputShares);
        const held = estimateHold(snapshot, { ...plain, ...size, inputClasses: classes, units: { web_search: 10 } });
        const { amountNanoUsd } = rateUsage(snapshot, { tokens, units: { web_search: searches }, tier: 'default', multiplierPpm: size.multiplierPpm });
        expect(amountNanoUsd <= held.worstNanoUsd).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it('is at most input and the counted output, for a stream that is extended', () => {
    fc.assert(
      fc.property(prices, multiplierPpm, fc.nat({ max: 9_999 }), (classPrices, ppm, output) => {
        const snapshot = priceOf(classPrices);
        const held = estimateHold(snapshot, { ...plain, multiplierPpm: ppm, firstStepTokens: output });
        const used = { tokens: { ...noTokens(), input: plain.inputTokens, output }, units: {}, tier: 'default' as const, multiplierPpm: ppm };
        expect(rateUsage(snapshot, used).amountNanoUsd <= held.inputNanoUsd + held.firstStepNanoUsd).toBe(true);
      }),
    );
  });
});

describe('tokens and money', () => {
  it('never sells a token that an amount does not pay', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 15n }), fc.bigInt({ min: 1n, max: 10n ** 12n }), (amountNanoUsd, perMillion) => {
        const tokens = tokensFor(amountNanoUsd, perMillion);
        expect(tokensNanoUsd(tokens, perMillion) <= amountNanoUsd).toBe(true);
        if (tokens < 2 ** 31) expect(tokensNanoUsd(tokens + 1, perMillion) > amountNanoUsd).toBe(true);
      }),
    );
  });

  it('gives back the tokens that were paid, and only more where a nano-USD buys several', () => {
    fc.assert(
      fc.property(fc.nat(), fc.bigInt({ min: 1_000_000n, max: 10n ** 12n }), (tokens, perMillion) => tokensFor(tokensNanoUsd(tokens, perMillion), perMillion) === tokens),
    );
    expect(tokensFor(tokensNanoUsd(1, 1n), 1n)).toBe(1_000_000);
  });

  it.each<[string, bigint, bigint, number]>([
    ['nothing', 0n, 5n, 0],
    ['a debt', -1n, 5n, 0],
    ['anything, of free tokens', 1n, 0n, 2 ** 31],
    ['nothing, of free tokens', 0n, 0n, 0],
    ['a fortune', 10n ** 30n, 1n, 2 ** 31],
  ])('%s buys so many tokens', (_title, amountNanoUsd, perMillion, tokens) => {
    expect(tokensFor(amountNanoUsd, perMillion)).toBe(tokens);
  });
});

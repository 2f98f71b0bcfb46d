import { describe, expect, it } from '@jest/globals';
import { TOKEN_CLASSES, noTokens } from '@tokone/protocol';
import type { TokenUsage } from '@tokone/protocol';
import fc from 'fast-check';
import type { ClassPrices, PriceSnapshot, ServiceTier } from './price-snapshot.js';
import { UnpricedError, rateAmounts, rateUsage } from './rate.js';

/** Facts of a price list: USD 3 / 15 per million, cache reads 0.30, writes 3.75 and 6, doubled above 200k; web search USD 10 per 1,000. */
const sonnet: PriceSnapshot = {
  id: 'sonnet@1',
  model: 'sonnet',
  platform: 'anthropic',
  maxInputTokens: 1_000_000,
  maxOutputTokens: 64_000,
  tiers: {
    default: [
      { aboveInputTokens: 0, nanoUsdPerMillion: { input: 3_000_000_000n, cacheRead: 300_000_000n, cacheWrite5m: 3_750_000_000n, cacheWrite1h: 6_000_000_000n, output: 15_000_000_000n } },
      { aboveInputTokens: 200_000, nanoUsdPerMillion: { input: 6_000_000_000n, cacheRead: 600_000_000n, cacheWrite5m: 7_500_000_000n, output: 22_500_000_000n } },
    ],
    batch: [{ aboveInputTokens: 0, nanoUsdPerMillion: { input: 1_500_000_000n, output: 7_500_000_000n } }],
  },
  unitNanoUsd: { web_search: 10_000_000n },
};

interface Case {
  tokens?: Partial<TokenUsage>;
  units?: Record<string, number>;
  tier?: ServiceTier;
  multiplierPpm?: number;
}

function rate(price: PriceSnapshot, { tokens = {}, units = {}, tier = 'default', multiplierPpm = 1_000_000 }: Case) {
  return rateUsage(price, { tokens: { ...noTokens(), ...tokens }, units, tier, multiplierPpm });
}

function priceOf(prices: ClassPrices): PriceSnapshot {
  return { ...sonnet, id: 'p@1', tiers: { default: [{ aboveInputTokens: 0, nanoUsdPerMillion: prices }] }, unitNanoUsd: {} };
}

describe('the charge of a request', () => {
  it.each<[string, Case, bigint]>([
    ['nothing', {}, 0n],
    ['one token of each of input and output', { tokens: { input: 1, output: 1 } }, 18_000n],
    ['a usual request', { tokens: { input: 1_234, output: 567 } }, 12_207_000n],
    ['all classes at once', { tokens: { input: 10, cacheRead: 20, cacheWrite5m: 30, cacheWrite1h: 40, output: 50 } }, 1_138_500n],
    ['input at the threshold', { tokens: { input: 200_000, output: 10 } }, 600_150_000n],
    ['input one above it, the whole at the higher price', { tokens: { input: 200_001, output: 10 } }, 1_200_231_000n],
    ['a threshold reached by cached input', { tokens: { input: 1, cacheRead: 200_000 } }, 120_006_000n],
    ['a threshold not reached by output', { tokens: { input: 1, output: 300_000 } }, 4_500_003_000n],
    ['reasoning, billed like output', { tokens: { reasoning: 100 } }, 1_500_000n],
    ['audio, billed like input', { tokens: { inputAudio: 100 } }, 300_000n],
    ['one-hour cache writes above the threshold, billed like the shorter ones', { tokens: { cacheWrite1h: 200_001 } }, 1_500_007_500n],
    ['three searches', { units: { web_search: 3 } }, 30_000_000n],
    ['a discount of a tier', { tokens: { input: 1_000, output: 100 }, tier: 'batch' }, 2_250_000n],
    ['a tier without prices of its own, like default', { tokens: { input: 1_000, output: 100 }, tier: 'priority' }, 4_500_000n],
    ['a multiplier of 1.5', { tokens: { input: 1_234, output: 567 }, units: { web_search: 1 }, multiplierPpm: 1_500_000 }, 33_310_500n],
    ['a multiplier of a millionth', { tokens: { input: 100_000 }, multiplierPpm: 1 }, 300n],
    ['a multiplier of nothing', { tokens: { input: 1_000_000, output: 1 }, multiplierPpm: 0 }, 0n],
  ])('for %s is exact', (_title, used, nanoUsd) => {
    expect(rate(sonnet, used).amountNanoUsd).toBe(nanoUsd);
  });

  it('is rounded half up, once, on the sum', () => {
    const tiny = priceOf({ input: 500_000n, cacheRead: 250_000n, output: 499_999n });
    expect(rate(tiny, { tokens: { input: 1 } }).amountNanoUsd).toBe(1n);
    expect(rate(tiny, { tokens: { output: 1 } }).amountNanoUsd).toBe(0n);
    expect(rate(tiny, { tokens: { cacheRead: 1 } }).amountNanoUsd).toBe(0n);
    // 0.5 + 0.25 + 0.499999 is 1.249999: rounded line by line it would be 1, rounded up line by line 3.
    expect(rate(tiny, { tokens: { input: 1, cacheRead: 1, output: 1 } }).amountNanoUsd).toBe(1n);
    // 3 × 0.5 = 1.5.
    expect(rate(tiny, { tokens: { input: 3 } }).amountNanoUsd).toBe(2n);
  });

  it('names what was counted, at which price', () => {
    expect(rate(sonnet, { tokens: { input: 2, output: 3 }, units: { web_search: 1 }, multiplierPpm: 500_000 }).lines).toEqual([
      { item: 'input', quantity: 2, priceNanoUsd: 3_000_000_000n, amountNanoUsd: 3_000n },
      { item: 'output', quantity: 3, priceNanoUsd: 15_000_000_000n, amountNanoUsd: 22_500n },
      { item: 'web_search', quantity: 1, priceNanoUsd: 10_000_000n, amountNanoUsd: 5_000_000n },
    ]);
  });

  it.each<[string, Case, string]>([
    ['a class', { tokens: { outputImage: 1 } }, 'outputImage'],
    ['a class that is not billed like another', { tokens: { outputAudio: 1 } }, 'outputAudio'],
    ['a unit', { units: { code_execution: 1 } }, 'code_execution'],
    ['a unit named like a member of every object', { units: { constructor: 1 } }, 'constructor'],
  ])('is an error where %s has no price', (_title, used, item) => {
    expect(() => rate(sonnet, used)).toThrow(UnpricedError);
    expect(() => rate(sonnet, used)).toThrow(`sonnet@1 has no price for ${item}`);
  });

  it('asks no price for what was not used', () => {
    expect(rate(sonnet, { tokens: { outputImage: 0 }, units: { code_execution: 0 } })).toEqual({ amountNanoUsd: 0n, lines: [] });
  });

  it.each<[string, Case]>([
    ['negative', { tokens: { input: -1 } }],
    ['broken', { tokens: { output: 1.5 } }],
    ['no number', { tokens: { cacheRead: Number.NaN } }],
    ['beyond what a number holds', { tokens: { input: 2 ** 53 } }],
    ['endless', { units: { web_search: Number.POSITIVE_INFINITY } }],
    ['negative, of a unit', { units: { web_search: -1 } }],
    ['missing', { tokens: { input: undefined as unknown as number } }],
    ['negative, of the multiplier', { tokens: { input: 1 }, multiplierPpm: -1 }],
    ['broken, of the multiplier', { tokens: { input: 1 }, multiplierPpm: 0.5 }],
  ])('is refused for a count that is %s', (_title, used) => {
    expect(() => rate(sonnet, used)).toThrow(RangeError);
  });
});

const count = fc.oneof(fc.nat({ max: 50 }), fc.nat({ max: 5_000_000 }), fc.constant(0));
const usage: fc.Arbitrary<TokenUsage> = fc.record(Object.fromEntries(TOKEN_CLASSES.map((name) => [name, count])) as Record<keyof TokenUsage, typeof count>);
const classPrice = fc.oneof(fc.bigInt({ min: 0n, max: 200_000_000_000n }), fc.bigInt({ min: 0n, max: 1_000_000n }));
const classPrices = fc.record(Object.fromEntries(TOKEN_CLASSES.map((name) => [name, classPrice])) as Record<keyof TokenUsage, typeof classPrice>);
const multiplierPpm = fc.oneof(fc.constant(1_000_000), fc.nat({ max: 5_000_000 }));
const units = fc.record({ web_search: fc.nat({ max: 20 }), file_search: fc.nat({ max: 20 }) });
const snapshot = fc.record({ low: classPrices, high: classPrices, search: classPrice, file: classPrice }).map(({ low, high, search, file }): PriceSnapshot => ({
  ...sonnet,
  tiers: { default: [{ aboveInputTokens: 0, nanoUsdPerMillion: low }, { aboveInputTokens: 100_000, nanoUsdPerMillion: high }] },
  unitNanoUsd: { web_search: search, file_search: file },
}));
const request = fc.record({ price: snapshot, tokens: usage, units, multiplierPpm });

/** An amount as a fraction: computed apart, in another order, without the constants of the product. */
function amountAsFraction(price: PriceSnapshot, used: { tokens: TokenUsage; units: Record<string, number>; multiplierPpm: number }): bigint {
  const { tokens } = used;
  const into = tokens.input + tokens.cacheRead + tokens.cacheWrite5m + tokens.cacheWrite1h + tokens.inputAudio;
  const [low, high] = price.tiers.default ?? [];
  const prices = (into > 100_000 ? high : low)?.nanoUsdPerMillion ?? {};
  let numerator = 0n;
  const denominator = 10n ** 6n * 10n ** 6n;
  for (const name of [...TOKEN_CLASSES].reverse()) numerator += BigInt(used.multiplierPpm) * BigInt(tokens[name]) * (prices[name] ?? 0n);
  for (const [name, calls] of Object.entries(used.units)) numerator += BigInt(used.multiplierPpm) * BigInt(calls) * (price.unitNanoUsd[name] ?? 0n) * 10n ** 6n;
  const whole = numerator / denominator;
  return (numerator - whole * denominator) * 2n >= denominator ? whole + 1n : whole;
}

function chargeOf(price: PriceSnapshot, used: { tokens: TokenUsage; units: Record<string, number>; multiplierPpm: number }): bigint {
  return rateUsage(price, { ...used, tier: 'default' }).amountNanoUsd;
}

describe('every charge', () => {
  it('equals a computation in fractions', () => {
    fc.assert(fc.property(request, ({ price, ...used }) => chargeOf(price, used) === amountAsFraction(price, used)), { numRuns: 500 });
  });

  it('stands beside what it would be without the multiplier', () => {
    fc.assert(
      fc.property(request, ({ price, ...used }) => {
        const listNanoUsd = amountAsFraction(price, { ...used, multiplierPpm: 1_000_000 });
        expect(rateAmounts(price, { ...used, tier: 'default' })).toEqual({ amountNanoUsd: amountAsFraction(price, used), listNanoUsd });
      }),
    );
  });

  it('is the exact sum of its lines, none of which is negative or a whole nano-USD off', () => {
    fc.assert(
      fc.property(request, ({ price, ...used }) => {
        const { amountNanoUsd, lines } = rateUsage(price, { ...used, tier: 'default' });
        expect(lines.reduce((sum, line) => sum + line.amountNanoUsd, 0n)).toBe(amountNanoUsd);
        for (const { item, quantity, priceNanoUsd, amountNanoUsd: part } of lines) {
          const scale = item.endsWith('_search') ? 10n ** 6n : 10n ** 12n;
          const exact = BigInt(quantity) * priceNanoUsd * BigInt(used.multiplierPpm);
          expect(part >= 0n && part * scale > exact - scale && part * scale < exact + scale).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('does not depend on the order in which tokens and units are named', () => {
    fc.assert(
      fc.property(request, ({ price, ...used }) => {
        const turned = { ...used, tokens: reversed(used.tokens), units: reversed(used.units) };
        expect(rateUsage(price, { ...turned, tier: 'default' })).toEqual(rateUsage(price, { ...used, tier: 'default' }));
      }),
    );
  });

  it('adds up with another of the same band, but for the one rounding of each', () => {
    fc.assert(
      fc.property(request, usage, ({ price, ...used }, more) => {
        const oneBand = { ...price, tiers: { default: price.tiers.default?.slice(0, 1) ?? [] } };
        const none = { web_search: 0, file_search: 0 };
        const both = chargeOf(oneBand, { ...used, tokens: sum(used.tokens, more) });
        const apart = chargeOf(oneBand, used) + chargeOf(oneBand, { ...used, tokens: more, units: none });
        expect(both - apart <= 1n && apart - both <= 1n).toBe(true);
      }),
    );
  });

  it('never falls when more is used, at prices that do not fall above a threshold', () => {
    fc.assert(
      fc.property(request, usage, ({ price, ...used }, more) => {
        const [low, high] = price.tiers.default ?? [];
        const dearer = Object.fromEntries(TOKEN_CLASSES.map((name) => [name, (low?.nanoUsdPerMillion[name] ?? 0n) + (high?.nanoUsdPerMillion[name] ?? 0n)]));
        const rising = { ...price, tiers: { default: [{ ...low, aboveInputTokens: 0, nanoUsdPerMillion: low?.nanoUsdPerMillion ?? {} }, { aboveInputTokens: 100_000, nanoUsdPerMillion: dearer }] } };
        const less = chargeOf(rising, used);
        expect(less >= 0n && chargeOf(rising, { ...used, tokens: sum(used.tokens, more) }) >= less).toBe(true);
      }),
    );
  });
});

function reversed<Counts extends object>(counts: Counts): Counts {
  return Object.fromEntries(Object.entries(counts).reverse()) as Counts;
}

function sum(one: TokenUsage, other: TokenUsage): TokenUsage {
  return Object.fromEntries(TOKEN_CLASSES.map((name) => [name, one[name] + other[name]])) as unknown as TokenUsage;
}

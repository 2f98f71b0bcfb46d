import { describe, expect, it } from '@jest/globals';
import { bandOf, readServiceTier } from './price-snapshot.js';
import type { PriceSnapshot } from './price-snapshot.js';

const base = { aboveInputTokens: 0, nanoUsdPerMillion: { input: 1n } };
const long = { aboveInputTokens: 200_000, nanoUsdPerMillion: { input: 2n } };
const flex = { aboveInputTokens: 0, nanoUsdPerMillion: { input: 3n } };
const price: PriceSnapshot = { id: 'p', model: 'm', platform: 'gemini', maxInputTokens: 1, maxOutputTokens: 1, tiers: { default: [base, long], flex: [flex] }, unitNanoUsd: {} };

describe('the band of a request', () => {
  it.each([
    ['nothing at all', 0, base],
    ['the threshold itself', 200_000, base],
    ['one token more', 200_001, long],
    ['far more', 2 ** 40, long],
  ])('with %s of input is found', (_title, inputTokens, band) => {
    expect(bandOf(price, 'default', inputTokens)).toBe(band);
  });

  it('is that of its tier', () => {
    expect(bandOf(price, 'flex', 300_000)).toBe(flex);
  });

  it('is the default one where its tier has no prices of its own', () => {
    expect(bandOf(price, 'priority', 200_001)).toBe(long);
  });

  it('is an error, not a free request, where there is none', () => {
    expect(() => bandOf({ ...price, tiers: {} }, 'default', 1)).toThrow('p has no default band');
  });
});

describe("a provider's word for a tier", () => {
  it.each([
    ['flex', 'flex'],
    ['FLEX', 'flex'],
    ['priority', 'priority'],
    ['batch', 'batch'],
    ['auto', 'default'],
    ['standard', 'default'],
    ['scale', 'default'],
    ['constructor', 'default'],
    ['', 'default'],
    [null, 'default'],
    [undefined, 'default'],
  ] as const)('%p is our %s', (word, tier) => {
    expect(readServiceTier(word)).toBe(tier);
  });
});

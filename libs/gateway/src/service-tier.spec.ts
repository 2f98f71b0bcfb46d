import { describe, expect, it } from '@jest/globals';
import type { PriceBand, PriceSnapshot } from '@tokone/pricing';
import { answeredTier, askedTier, refuseUnpricedOptions } from './service-tier.js';

const band = (output: bigint): PriceBand[] => [{ aboveInputTokens: 0, nanoUsdPerMillion: { input: 1n, output } }];
const plain: PriceSnapshot = { id: '1/m', model: 'm', platform: 'openai', maxInputTokens: 1, maxOutputTokens: 1, tiers: { default: band(10n) }, unitNanoUsd: {} };
const tiered: PriceSnapshot = { ...plain, tiers: { default: band(10n), flex: band(5n), priority: band(25n), batch: band(5n) } };

describe('the tier that a request asks for', () => {
  it.each([
    [undefined, 'default'],
    ['auto', 'default'],
    ['standard_only', 'default'],
    ['scale', 'default'],
    ['FLEX', 'flex'],
    ['priority', 'priority'],
    ['fast', 'priority'],
    ['batch', 'default'],
  ] as const)('%p is %s', (word, tier) => {
    expect(askedTier(word, tiered)).toBe(tier);
  });

  it.each([
    ['ultrafast', tiered],
    ['priority', plain],
    ['constructor', tiered],
  ])('refuses %s where it has no price, and names the field', (word, price) => {
    expect(() => askedTier(word, price)).toThrow(expect.objectContaining({ code: 'invalid_field', field: 'service_tier', message: expect.stringContaining(word) }));
  });

  it('sells flex at the default price where it has none of its own', () => {
    expect(askedTier('flex', plain)).toBe('flex');
  });
});

describe('the tier that an answer is charged at', () => {
  it.each([
    ['the asked one where the answer names none', undefined, 'flex', false],
    ['the one that the answer names', 'default', 'default', false],
    ['batch where it was served so', 'batch', 'batch', false],
    ['the dearest one, flagged, for a word that nobody knows', 'ultrafast', 'priority', true],
  ] as const)('is %s', (_title, word, tier, odd) => {
    expect(answeredTier(word, 'flex', tiered)).toEqual({ tier, odd });
  });

  it('is the dearest one that has a price where the named one has none', () => {
    expect(answeredTier('priority', 'default', plain)).toEqual({ tier: 'default', odd: false });
  });
});

describe('options that change the price', () => {
  const facts = (options: object) => options as Parameters<typeof refuseUnpricedOptions>[0];

  it.each([{ speed: 'fast' }, { inferenceGeo: 'us' }])('are refused without a price: %p', (options) => {
    expect(() => refuseUnpricedOptions(facts(options))).toThrow(expect.objectContaining({ code: 'invalid_field' }));
  });

  it('pass where they ask for nothing special', () => {
    expect(() => refuseUnpricedOptions(facts({ speed: 'standard', inferenceGeo: 'global' }))).not.toThrow();
  });
});

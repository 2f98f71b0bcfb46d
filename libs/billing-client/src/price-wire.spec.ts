import { describe, expect, it } from '@jest/globals';
import type { PriceSnapshot } from '@tokone/pricing';
import { readCurrentPrices, readOnePrice, writeCurrentPrices, writeOnePrice } from './price-wire.js';

const units = Object.assign(Object.create(null) as Record<string, bigint>, { web_search: 10_000_000n, constructor: 7n });
const PRICE: PriceSnapshot = {
  id: '3/a/model',
  model: 'a/model',
  platform: 'gemini',
  maxInputTokens: 1_000_000,
  maxOutputTokens: 64_000,
  tiers: {
    default: [
      { aboveInputTokens: 0, nanoUsdPerMillion: { input: 0n, output: 9_007_199_254_740_993n } },
      { aboveInputTokens: 200_000, nanoUsdPerMillion: { input: 2n, cacheRead: 3n, output: 4n } },
    ],
    flex: [{ aboveInputTokens: 0, nanoUsdPerMillion: { input: 1n } }],
  },
  unitNanoUsd: units,
};
const overTheWire = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe('prices on the wire', () => {
  it('arrive exactly: bands, tiers, amounts beyond floating point, and units of any name', () => {
    expect(readOnePrice(overTheWire(writeOnePrice(PRICE)))).toStrictEqual(PRICE);
    expect(readCurrentPrices(overTheWire(writeCurrentPrices(3, [PRICE])))).toStrictEqual({ version: 3, prices: [PRICE] });
  });

  it('have no price for what only every object has', () => {
    const read = readOnePrice(overTheWire(writeOnePrice({ ...PRICE, unitNanoUsd: {} })));
    expect([read?.unitNanoUsd['constructor'], read?.unitNanoUsd['toString']]).toEqual([undefined, undefined]);
  });

  it('say that a version is unchanged, and that a price never was', () => {
    expect(readCurrentPrices(overTheWire(writeCurrentPrices(3, null)))).toEqual({ version: 3, prices: null });
    expect(readOnePrice(overTheWire(writeOnePrice(undefined)))).toBeUndefined();
  });

  it.each([{}, { version: 1 }, { version: 1, prices: [{}] }, { version: -1, prices: null }])('are refused as %j', (json) => {
    expect(() => readCurrentPrices(json)).toThrow();
  });

  it.each(['-1', '1.5', '1e3', ''])('are refused with the amount "%s"', (amount) => {
    const written = overTheWire(writeOnePrice(PRICE)) as { price: { tiers: { flex: { nanoUsdPerMillion: { input: string } }[] } } };
    (written.price.tiers.flex[0] as { nanoUsdPerMillion: { input: string } }).nanoUsdPerMillion.input = amount;
    expect(() => readOnePrice(written)).toThrow();
  });
});

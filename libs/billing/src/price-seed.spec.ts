import { describe, expect, it } from '@jest/globals';
import { readPriceSnapshot } from './price-row.js';
import type { ModelPrices } from './price-row.js';
import { completePrices, hashPrices, readPriceSeed } from './price-seed.js';

const seed = readPriceSeed();
const snapshot = (model: string): ReturnType<typeof readPriceSnapshot> =>
  readPriceSnapshot(`1/${model}`, model, completePrices(model, seed.models[model] as ModelPrices));

describe('the price table that comes with the product', () => {
  it('prices every model from its first token, in and out, above 0, with limits', () => {
    expect(Object.keys(seed.models).length).toBeGreaterThan(100);
    for (const model of Object.keys(seed.models)) {
      const { tiers, maxInputTokens, maxOutputTokens } = snapshot(model);
      expect([model, maxInputTokens > 0, maxOutputTokens > 0]).toEqual([model, true, true]);
      for (const bands of Object.values(tiers)) {
        for (const { nanoUsdPerMillion } of bands)
          expect([model, (nanoUsdPerMillion.input ?? 0n) > 0n, (nanoUsdPerMillion.output ?? 0n) > 0n]).toEqual([model, true, true]);
      }
    }
  });

  it('names its source, licence and date', () => {
    expect(seed.source).toContain('LiteLLM community price table 1.109.1 (MIT)');
    expect(seed.date).toBe('2026-11-22');
  });

  it('has the published prices of gpt-5.5, bands and tiers included', () => {
    const { tiers, unitNanoUsd, platform } = snapshot('gpt-5.5');
    expect(platform).toBe('openai');
    expect(tiers.default).toEqual([
      { aboveInputTokens: 0, nanoUsdPerMillion: { input: 5_000_000_000n, cacheRead: 500_000_000n, output: 30_000_000_000n } },
      { aboveInputTokens: 272_000, nanoUsdPerMillion: { input: 10_000_000_000n, cacheRead: 1_000_000_000n, output: 45_000_000_000n } },
    ]);
    expect(tiers.flex?.[1]?.nanoUsdPerMillion).toEqual({ input: 5_000_000_000n, cacheRead: 500_000_000n, output: 22_500_000_000n });
    expect(unitNanoUsd['web_search']).toBe(10_000_000n);
  });

  it('has both cache writes of claude-opus-4-6 and the audio input of gemini-3.5-flash', () => {
    expect(snapshot('claude-opus-4-6').tiers.default?.[0]?.nanoUsdPerMillion).toEqual({
      input: 5_000_000_000n,
      cacheRead: 500_000_000n,
      cacheWrite5m: 6_250_000_000n,
      cacheWrite1h: 10_000_000_000n,
      output: 25_000_000_000n,
    });
    expect(snapshot('gemini-3.5-flash').tiers.default?.[0]?.nanoUsdPerMillion.inputAudio).toBe(1_500_000_000n);
  });

  it.each(['gpt-4o-search-preview', 'gpt-5-pro', 'gemini-embedding-001', 'lyria-3.5', 'gemini-robotics-er-2-preview', 'gemma-4-31b-it'])(
    'does not sell %s, whose use it cannot price or bound',
    (model) => expect(seed.models[model]).toBeUndefined(),
  );
});

const gaps: ModelPrices = {
  platform: 'openai',
  maxInputTokens: 1,
  maxOutputTokens: 1,
  tiers: {
    default: [
      { aboveInputTokens: 0, usdPerMillion: { input: '1', cacheRead: '0.1', output: '4' } },
      { aboveInputTokens: 1_000, usdPerMillion: { input: '2', cacheRead: '0.2', output: '6' } },
    ],
    flex: [{ aboveInputTokens: 0, usdPerMillion: { input: '0.5', output: '2' } }],
    priority: [{ aboveInputTokens: 0, usdPerMillion: { input: '3', cacheRead: '0.3', output: '12' } }],
  },
};

describe('completePrices', () => {
  const { tiers } = completePrices('m', gaps);

  it('takes the default price for a class that a tier leaves out', () => {
    expect(tiers.flex?.[0]?.usdPerMillion).toEqual({ input: '0.5', cacheRead: '0.1', output: '2' });
  });

  it('gives a tier every band of default, at the default price', () => {
    expect(tiers.flex?.[1]).toEqual({ aboveInputTokens: 1_000, usdPerMillion: { input: '2', cacheRead: '0.2', output: '6' } });
  });

  it("never sells a filled band below the tier's own smaller band", () => {
    expect(tiers.priority?.[1]?.usdPerMillion).toEqual({ input: '3', cacheRead: '0.3', output: '12' });
  });

  it.each([
    ['no default price', []],
    ['a class missing above a threshold', [{ aboveInputTokens: 0, usdPerMillion: { input: '1', cacheRead: '1', output: '1' } }, { aboveInputTokens: 9, usdPerMillion: { input: '1', output: '1' } }]],
    ['a negative price', [{ aboveInputTokens: 0, usdPerMillion: { input: '-1', output: '1' } }]],
    ['more than nine decimals', [{ aboveInputTokens: 0, usdPerMillion: { input: '0.0000000001', output: '1' } }]],
    ['a word', [{ aboveInputTokens: 0, usdPerMillion: { input: 'free', output: '1' } }]],
  ])('refuses a table with %s', (_case, bands) => {
    expect(() => completePrices('m', { ...gaps, tiers: { default: bands } })).toThrow(RangeError);
  });
});

describe('hashPrices', () => {
  const completed = completePrices('m', gaps);
  it('does not depend on the order of models, and changes with a price', () => {
    const one = new Map([['a', completed], ['b', completed]]);
    const turned = new Map([['b', completed], ['a', completed]]);
    const dearer = completePrices('m', { ...gaps, unitUsd: { web_search: '0.01' } });
    expect(hashPrices(turned)).toBe(hashPrices(one));
    expect(hashPrices(new Map([['a', completed], ['b', dearer]]))).not.toBe(hashPrices(one));
  });
});

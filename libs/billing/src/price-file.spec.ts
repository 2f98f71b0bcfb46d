import { describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readPriceFile, readPriceTable, withPrices } from './price-file.js';
import { readPriceSeed } from './price-seed.js';

const model = { platform: 'openai', maxInputTokens: 1_000, maxOutputTokens: 500, tiers: { default: [{ aboveInputTokens: 0, usdPerMillion: { input: '1', output: '2.5' } }] }, unitUsd: { web_search: '0.01' } };
const table = (change: object = {}, modelChange: object = {}): string => JSON.stringify({ source: 'our list', date: '2026-01-01', models: { 'our-model': { ...model, ...modelChange } }, ...change });

describe("an operator's price table", () => {
  it('is read in the form of the table that comes with the product, which is one itself', () => {
    expect(readPriceTable(table()).models['our-model']?.tiers.default[0]?.usdPerMillion.output).toBe('2.5');
    expect(() => readPriceTable(JSON.stringify(readPriceSeed()))).not.toThrow();
  });

  it('is added to, or replaces, the models of that table', () => {
    const seed = readPriceSeed();
    const mixed = withPrices(seed, readPriceTable(JSON.stringify({ source: 'ours', date: '2026-01-01', models: { 'our-model': model, 'gpt-5.5': model } })));
    expect(Object.keys(mixed.models)).toHaveLength(Object.keys(seed.models).length + 1);
    expect(mixed.models['gpt-5.5']?.maxOutputTokens).toBe(500);
    expect(mixed.source).toContain('ours');
  });

  it.each([
    ['not JSON', '{', 'it is not JSON'],
    ['not an object', '[]', 'The table must be an object'],
    ['an unknown member', table({ model: {} }), 'The table has "model"'],
    ['no source', table({ source: '' }), 'source must say'],
    ['no date', table({ date: 'today' }), 'date must be'],
    ['no models', table({ models: {} }), 'at least one model'],
    ['another platform', table({}, { platform: 'acme' }), 'models.our-model.platform must be one of openai'],
    ['no limit', table({}, { maxOutputTokens: 0 }), 'models.our-model.maxOutputTokens'],
    ['a misspelt tier', table({}, { tiers: { defualt: [] } }), 'models.our-model.tiers has "defualt"'],
    ['no default tier', table({}, { tiers: {} }), 'our-model has no default price'],
    ['a misspelt class', table({}, { tiers: { default: [{ aboveInputTokens: 0, usdPerMillion: { input: '1', outptu: '1' } }] } }), 'usdPerMillion has "outptu"'],
    ['no output price', table({}, { tiers: { default: [{ aboveInputTokens: 0, usdPerMillion: { input: '1' } }] } }), 'no default price for output'],
    ['a price as a number', table({}, { tiers: { default: [{ aboveInputTokens: 0, usdPerMillion: { input: 1, output: '1' } }] } }), 'usdPerMillion.input must be USD as text'],
    ['a negative price', table({}, { tiers: { default: [{ aboveInputTokens: 0, usdPerMillion: { input: '-1', output: '1' } }] } }), 'must not be negative'],
    ['a price that is none', table({}, { unitUsd: { web_search: 'cheap' } }), '"cheap" is not an amount'],
    ['a band twice', table({}, { tiers: { default: [model.tiers.default[0], model.tiers.default[0]] } }), 'stands only once'],
  ])('is refused with a sentence for %s', (_title, text, sentence) => {
    expect(() => readPriceTable(text)).toThrow(sentence);
  });

  it('that cannot be read says why', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tokone-prices-'));
    try {
      expect(() => readPriceFile(join(folder, 'none.json'))).toThrow('cannot be read (ENOENT).');
      writeFileSync(join(folder, 'prices.json'), table());
      expect(Object.keys(readPriceFile(join(folder, 'prices.json')).models)).toEqual(['our-model']);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

import { readFileSync } from 'node:fs';
import { SERVICE_TIERS } from '@tokone/pricing';
import { TOKEN_CLASSES } from '@tokone/protocol';
import { readPriceSnapshot } from './price-row.js';
import type { ModelPrices } from './price-row.js';
import { completePrices } from './price-seed.js';
import type { PriceSeed } from './price-seed.js';

const PLATFORMS = ['openai', 'anthropic', 'gemini'];
type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads an operator's price table, in the form of `price-seed.json`. Throws an Error whose message says what is wrong
 * and where, and ends the sentence "NAME=path …".
 */
export function readPriceFile(path: string): PriceSeed {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`cannot be read (${(error as NodeJS.ErrnoException).code}).`, { cause: error });
  }
  return readPriceTable(text);
}

/** As `readPriceFile`, from the text. Names that the table does not know are faults: a misspelt one would sell at another price. */
export function readPriceTable(text: string): PriceSeed {
  const table = fieldsOf(parse(text), 'The table', ['source', 'date', 'models']);
  check(typeof table['source'] === 'string' && table['source'] !== '', 'source must say where the prices come from.');
  check(typeof table['date'] === 'string' && /^\d{4}-\d{2}-\d{2}$/.test(table['date']), 'date must be a date like 2026-01-31.');
  const models = fieldsOf(table['models'], 'models');
  check(Object.keys(models).length > 0, 'models must name at least one model.');
  for (const [model, prices] of Object.entries(models)) checkModel(model, prices);
  return table as unknown as PriceSeed;
}

/** The models of `added` beside, or in place of, those of `base`. */
export function withPrices(base: PriceSeed, added: PriceSeed): PriceSeed {
  return { source: `${base.source}, ${base.date}, with ${added.source}`, date: added.date, models: { ...base.models, ...added.models } };
}

function checkModel(model: string, value: unknown): void {
  const at = `models.${model}`;
  check(model !== '' && model.length <= 256, 'a model needs a name of at most 256 characters.');
  const prices = fieldsOf(value, at, ['platform', 'maxInputTokens', 'maxOutputTokens', 'tiers', 'unitUsd']);
  check(PLATFORMS.includes(String(prices['platform'])), `${at}.platform must be one of ${PLATFORMS.join(', ')}.`);
  for (const limit of ['maxInputTokens', 'maxOutputTokens']) check(isCount(prices[limit]) && prices[limit] > 0, `${at}.${limit} must be a whole number above 0.`);
  for (const [tier, bands] of Object.entries(fieldsOf(prices['tiers'], `${at}.tiers`, SERVICE_TIERS))) checkBands(bands, `${at}.tiers.${tier}`);
  for (const [unit, usd] of Object.entries(fieldsOf(prices['unitUsd'] ?? {}, `${at}.unitUsd`))) check(typeof usd === 'string', `${at}.unitUsd.${unit} must be USD as text, like "0.01".`);
  const completed = completePrices(model, value as ModelPrices);
  readPriceSnapshot('check', model, completed);
  for (const needed of ['input', 'output'] as const) check(completed.tiers.default[0]?.usdPerMillion[needed] !== undefined, `${at} has no default price for ${needed}.`);
}

function checkBands(bands: unknown, at: string): void {
  check(Array.isArray(bands) && bands.length > 0, `${at} must be a list of price bands.`);
  const seen = new Set<unknown>();
  for (const [index, value] of (bands as unknown[]).entries()) {
    const band = fieldsOf(value, `${at}[${index}]`, ['aboveInputTokens', 'usdPerMillion']);
    check(isCount(band['aboveInputTokens']) && !seen.has(band['aboveInputTokens']), `${at}[${index}].aboveInputTokens must be a whole number that stands only once.`);
    seen.add(band['aboveInputTokens']);
    for (const [tokenClass, usd] of Object.entries(fieldsOf(band['usdPerMillion'], `${at}[${index}].usdPerMillion`, TOKEN_CLASSES))) {
      check(typeof usd === 'string', `${at}[${index}].usdPerMillion.${tokenClass} must be USD as text, like "2.5".`);
    }
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`is not a price table: it is not JSON (${error instanceof Error ? error.message : String(error)}).`, { cause: error });
  }
}

function fieldsOf(value: unknown, at: string, known?: readonly string[]): Fields {
  check(typeof value === 'object' && value !== null && !Array.isArray(value), `${at} must be an object.`);
  const unknownName = known && Object.keys(value as object).find((name) => !known.includes(name));
  check(unknownName === undefined, `${at} has "${unknownName}", which is none of ${known?.join(', ')}.`);
  return value as Fields;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function check(holds: boolean, sentence: string): void {
  if (!holds) throw new RangeError(`is not a price table: ${sentence}`);
}

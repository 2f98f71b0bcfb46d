/**
 * Makes `src/price-seed.json` from a copy of the LiteLLM community price table:
 *   node libs/billing/scripts/import-price-table.mjs <table.json> > libs/billing/src/price-seed.json
 *
 * Only the table's facts go in: USD per token become USD per million as decimal strings, moved by digits and never
 * computed in floats. What a tier does not name is filled when the seed is read, not here.
 */
import { readFileSync } from 'node:fs';

const SOURCE = 'LiteLLM community price table 1.109.1 (MIT)';
const DATE = '2026-11-22';
const PLATFORMS = ['openai', 'anthropic', 'gemini'];
const TIERS = { flex: 'flex', priority: 'priority', batches: 'batch' };
/** Field stem → our token class. The longer-lived cache write is one class, whatever the provider's life time. */
const CLASSES = {
  input_cost_per_token: 'input',
  cache_read_input_token_cost: 'cacheRead',
  cache_creation_input_token_cost: 'cacheWrite5m',
  cache_creation_input_token_cost_above_1hr: 'cacheWrite1h',
  cache_creation_input_token_cost_above_12hr: 'cacheWrite1h',
  input_cost_per_audio_token: 'inputAudio',
  output_cost_per_token: 'output',
  output_cost_per_reasoning_token: 'reasoning',
  output_cost_per_audio_token: 'outputAudio',
};
/** Sold by the search, the song, the agent run or a protocol of their own: not by the classes above alone. */
const NOT_CHAT = /search-preview|search-api|deep-research|realtime|robotics|lyria|tts|omni|^container$|computer-use/;

const table = readNumbersAsText(readFileSync(process.argv[2], 'utf8'));
const models = {};
for (const [name, row] of Object.entries(table)) {
  const model = name.replace(/^(gemini|openai)\//, '');
  if (!isSold(model, row)) continue;
  const entry = readRow(model, row);
  const gap = findGap(entry);
  if (gap) {
    process.stderr.write(`${model} is left out: ${gap}\n`);
    continue;
  }
  if (models[model] && JSON.stringify(models[model]) !== JSON.stringify(entry)) throw new Error(`${model} stands twice, with different prices`);
  models[model] = entry;
}
const lines = Object.keys(models).sort().map((model) => `    ${JSON.stringify(model)}: ${JSON.stringify(models[model])}`);
process.stdout.write(
  `{\n  "source": ${JSON.stringify(SOURCE)},\n  "date": ${JSON.stringify(DATE)},\n  "models": {\n${lines.join(',\n')}\n  }\n}\n`,
);

/** Numbers as they are written: a float would already have lost the decimal digits. */
function readNumbersAsText(text) {
  return JSON.parse(text, (_name, value, context) => (typeof value === 'number' ? context.source : value));
}

/** Chat models with a price for what goes in and comes out, and with limits that a hold can be computed from. */
function isSold(model, row) {
  if (row.mode !== 'chat' || !PLATFORMS.includes(row.litellm_provider) || NOT_CHAT.test(model)) return false;
  if (!row.max_input_tokens || !row.max_output_tokens) return false;
  if (row.supported_endpoints && !row.supported_endpoints.includes('/v1/chat/completions')) return false;
  return Number(row.input_cost_per_token ?? 0) > 0 && Number(row.output_cost_per_token ?? 0) > 0;
}

function readRow(model, row) {
  const bands = new Map();
  for (const [field, text] of Object.entries(row)) {
    const key = readField(field);
    if (!key) continue;
    const id = `${key.tier} ${key.above}`;
    if (!bands.has(id)) bands.set(id, { tier: key.tier, aboveInputTokens: key.above, prices: {} });
    bands.get(id).prices[key.tokenClass] = shiftDecimalPoint(text, 6);
  }
  const tiers = {};
  const sorted = [...bands.values()].sort((a, b) => a.aboveInputTokens - b.aboveInputTokens);
  for (const tier of ['default', ...Object.values(TIERS)]) {
    const found = sorted.filter((band) => band.tier === tier);
    if (found.length > 0) tiers[tier] = found.map(({ aboveInputTokens, prices }) => ({ aboveInputTokens, usdPerMillion: inOrder(prices) }));
  }
  const entry = {
    platform: row.litellm_provider,
    maxInputTokens: wholeNumber(row.max_input_tokens),
    maxOutputTokens: wholeNumber(row.max_output_tokens),
    tiers,
  };
  const searches = Object.values(row.search_context_cost_per_query ?? {});
  if (searches.length > 0) {
    const dearest = searches.reduce((most, text) => (Number(text) > Number(most) ? text : most));
    entry.unitUsd = { web_search: shiftDecimalPoint(dearest, 0) };
  }
  return entry;
}

/** A class that has a price at first but none above a threshold: nobody knows what it costs there. */
function findGap({ tiers }) {
  const [first, ...higher] = tiers.default;
  for (const band of higher) {
    const missing = Object.keys(first.usdPerMillion).find((tokenClass) => band.usdPerMillion[tokenClass] === undefined);
    if (missing) return `no price for ${missing} above ${band.aboveInputTokens} tokens`;
  }
  return undefined;
}

/** `<class>[_above_Nk_tokens][_tier]`; undefined for fields that price nothing that we count. */
function readField(field) {
  const match = /^(.*?)(?:_above_(\d+)k_tokens)?(?:_(flex|priority|batches|ultrafast|decisions))?$/.exec(field);
  const tokenClass = CLASSES[match[1]];
  const tier = match[3] === undefined ? 'default' : TIERS[match[3]];
  if (!tokenClass || !tier) return undefined;
  return { tokenClass, tier, above: Number(match[2] ?? 0) * 1000 };
}

/** Classes in one order; reasoning only where it does not cost what other output costs. */
function inOrder(prices) {
  const ordered = {};
  for (const tokenClass of new Set(Object.values(CLASSES))) {
    if (prices[tokenClass] === undefined) continue;
    if (tokenClass === 'reasoning' && prices.reasoning === prices.output) continue;
    ordered[tokenClass] = prices[tokenClass];
  }
  return ordered;
}

function wholeNumber(text) {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new Error(`${text} is not a whole number`);
  return value;
}

/** `5e-06` shifted by 6 is `5`. */
function shiftDecimalPoint(text, by) {
  const match = /^(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(text);
  if (!match) throw new Error(`${text} is not a price`);
  const [, whole, fraction = '', exponent = '0'] = match;
  const shift = Number(exponent) + by;
  const digits = whole + fraction;
  const point = whole.length + shift;
  const padded = point > digits.length ? digits.padEnd(point, '0') : point < 0 ? '0'.repeat(-point) + digits : digits;
  const at = Math.max(point, 0);
  const left = padded.slice(0, at).replace(/^0+(?=\d)/, '') || '0';
  const right = padded.slice(at).replace(/0+$/, '');
  return right ? `${left}.${right}` : left;
}

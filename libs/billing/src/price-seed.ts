import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { SERVICE_TIERS, readUsd } from '@tokone/pricing';
import type { ServiceTier } from '@tokone/pricing';
import { TOKEN_CLASSES } from '@tokone/protocol';
import type { TokenClass } from '@tokone/protocol';
import type { ModelPrices, UsdBand, UsdPrices } from './price-row.js';

/** A price table as it is published. A tier may name only some classes and bands; `completePrices` fills the rest. */
export interface PriceSeed {
  /** Where the facts come from, with its version and licence. */
  source: string;
  /** YYYY-MM-DD of the facts. */
  date: string;
  /** Whose table it is; the product's when it does not say. What an operator states is in force from each start on. */
  origin?: 'product' | 'operator';
  models: Record<string, ModelPrices>;
}

/** The price table that comes with the product: `price-seed.json`. */
export function readPriceSeed(): PriceSeed {
  return JSON.parse(readFileSync(new URL('./price-seed.json', import.meta.url), 'utf8')) as PriceSeed;
}

/**
 * Brings a published row to the form that is kept: each tier has every band of `default`, and each band every class.
 * A class that a tier leaves out costs what it costs by default in that band, but no less than in the tier's band
 * below: a gap in the table never sells below what the provider may bill. Throws a RangeError for a row without
 * default prices, with a class missing from a higher default band, or with a price that is not one.
 */
export function completePrices(model: string, prices: ModelPrices): ModelPrices {
  const base = completeDefault(model, prices.tiers.default);
  const tiers: ModelPrices['tiers'] = { default: base };
  for (const tier of SERVICE_TIERS) {
    const own = prices.tiers[tier];
    if (own !== undefined && tier !== 'default') tiers[tier] = completeTier(base, own);
  }
  const { platform, maxInputTokens, maxOutputTokens, unitUsd = {} } = prices;
  for (const usd of Object.values(unitUsd)) checkedPrice(usd);
  return { platform, maxInputTokens, maxOutputTokens, tiers, unitUsd };
}

/** SHA-256 of the completed prices of all models, hex: the same prices have the same hash, whatever their order. */
export function hashPrices(models: ReadonlyMap<string, ModelPrices>): string {
  const entries = [...models].sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(entries.map(([model, prices]) => [model, orderedPrices(prices)]))).digest('hex');
}

function completeDefault(model: string, bands: readonly UsdBand[] | undefined): UsdBand[] {
  const sorted = [...(bands ?? [])].sort((a, b) => a.aboveInputTokens - b.aboveInputTokens);
  const first = sorted[0];
  if (first === undefined || first.aboveInputTokens !== 0) throw new RangeError(`${model} has no default price from the first token on.`);
  for (const band of sorted) {
    for (const usd of Object.values(band.usdPerMillion)) checkedPrice(usd);
    for (const tokenClass of classesOf(first.usdPerMillion)) {
      if (band.usdPerMillion[tokenClass] === undefined)
        throw new RangeError(`${model} has no price for ${tokenClass} above ${band.aboveInputTokens} tokens.`);
    }
  }
  return sorted;
}

function completeTier(base: readonly UsdBand[], own: readonly UsdBand[]): UsdBand[] {
  const thresholds = [...new Set([...base, ...own].map((band) => band.aboveInputTokens))].sort((a, b) => a - b);
  const completed: UsdBand[] = [];
  for (const aboveInputTokens of thresholds) {
    const stated = own.find((band) => band.aboveInputTokens === aboveInputTokens)?.usdPerMillion ?? {};
    const byDefault = base.findLast((band) => band.aboveInputTokens <= aboveInputTokens)?.usdPerMillion ?? {};
    const below = completed.at(-1)?.usdPerMillion ?? {};
    const usdPerMillion: UsdPrices = {};
    for (const tokenClass of TOKEN_CLASSES) {
      const usd = stated[tokenClass] ?? dearer(byDefault[tokenClass], below[tokenClass]);
      if (usd !== undefined) usdPerMillion[tokenClass] = checkedPrice(usd);
    }
    completed.push({ aboveInputTokens, usdPerMillion });
  }
  return completed;
}

function dearer(one: string | undefined, other: string | undefined): string | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return readUsd(one) >= readUsd(other) ? one : other;
}

function checkedPrice(usd: string): string {
  if (readUsd(usd) < 0n) throw new RangeError(`${usd} USD is not a price: it must not be negative.`);
  return usd;
}

function classesOf(prices: UsdPrices): TokenClass[] {
  return TOKEN_CLASSES.filter((tokenClass) => prices[tokenClass] !== undefined);
}

function orderedPrices(prices: ModelPrices): unknown {
  const tiers = SERVICE_TIERS.map((tier: ServiceTier) =>
    prices.tiers[tier]?.map((band) => [band.aboveInputTokens, TOKEN_CLASSES.map((name) => band.usdPerMillion[name] ?? null)]),
  );
  const units = Object.entries(prices.unitUsd ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return [prices.platform, prices.maxInputTokens, prices.maxOutputTokens, tiers, units];
}

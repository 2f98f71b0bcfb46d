import { readUsd } from '@tokone/pricing';
import type { ClassPrices, PriceBand, PriceSnapshot, ServiceTier } from '@tokone/pricing';
import { TOKEN_CLASSES } from '@tokone/protocol';
import type { Platform, TokenClass } from '@tokone/protocol';

/** USD as decimal strings, at most nine decimals: what a person writes, what `price_row.prices` and the seed hold. */
export type UsdPrices = Partial<Record<TokenClass, string>>;

export interface UsdBand {
  aboveInputTokens: number;
  usdPerMillion: UsdPrices;
}

/** The prices of one model in the form in which they are kept. */
export interface ModelPrices {
  platform: Platform;
  maxInputTokens: number;
  maxOutputTokens: number;
  tiers: { default: UsdBand[] } & Partial<Record<ServiceTier, UsdBand[]>>;
  unitUsd?: Record<string, string>;
}

/** Makes the snapshot that requests are rated with. Throws a RangeError with a sentence for a price that is not one. */
export function readPriceSnapshot(id: string, model: string, prices: ModelPrices): PriceSnapshot {
  const tiers: Partial<Record<ServiceTier, readonly PriceBand[]>> = {};
  for (const [tier, bands] of Object.entries(prices.tiers)) tiers[tier as ServiceTier] = bands.map(readBand);
  // Without a prototype: a unit called `constructor` must be unpriced, not a function.
  const unitNanoUsd = Object.create(null) as Record<string, bigint>;
  for (const [unit, usd] of Object.entries(prices.unitUsd ?? {})) unitNanoUsd[unit] = readUsd(usd);
  return {
    id,
    model,
    platform: prices.platform,
    maxInputTokens: prices.maxInputTokens,
    maxOutputTokens: prices.maxOutputTokens,
    tiers,
    unitNanoUsd,
  };
}

function readBand(band: UsdBand): PriceBand {
  const found: Partial<Record<TokenClass, bigint>> = {};
  for (const tokenClass of TOKEN_CLASSES) {
    const usd = band.usdPerMillion[tokenClass];
    if (usd !== undefined) found[tokenClass] = readUsd(usd);
  }
  return { aboveInputTokens: band.aboveInputTokens, nanoUsdPerMillion: found satisfies ClassPrices };
}

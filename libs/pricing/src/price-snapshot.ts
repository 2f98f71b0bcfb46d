import type { Platform, TokenClass } from '@tokone/protocol';

/** Service tiers that change the price. A tier without prices of its own costs what `default` costs. */
export const SERVICE_TIERS = ['default', 'flex', 'priority', 'batch'] as const;
export type ServiceTier = (typeof SERVICE_TIERS)[number];

/** Nano-USD per million tokens for each class that the model can use. A class without a price cannot be rated. */
export type ClassPrices = Readonly<Partial<Record<TokenClass, bigint>>>;

/** Prices from a total input (cached included) above `aboveInputTokens`; they hold for the whole request. */
export interface PriceBand {
  aboveInputTokens: number;
  nanoUsdPerMillion: ClassPrices;
}

/**
 * The immutable price of one model. `id` names it for ever: the same id never has other prices, so a charge can be
 * recomputed from its event and this snapshot.
 */
export interface PriceSnapshot {
  id: string;
  model: string;
  platform: Platform;
  maxInputTokens: number;
  maxOutputTokens: number;
  /** Bands by rising `aboveInputTokens`, the first at 0. `default` is always there. */
  tiers: Readonly<Partial<Record<ServiceTier, readonly PriceBand[]>>>;
  /** Nano-USD for one unit of a hosted tool: `web_search`. */
  unitNanoUsd: Readonly<Record<string, bigint>>;
}

/** The band that a request of this size falls into. A tier without bands of its own is `default`. */
export function bandOf(price: PriceSnapshot, tier: ServiceTier, inputTokens: number): PriceBand {
  const bands = price.tiers[tier] ?? price.tiers.default ?? [];
  let found: PriceBand | undefined;
  for (const band of bands) if (found === undefined || inputTokens > band.aboveInputTokens) found = band;
  if (found === undefined) throw new Error(`price ${price.id} has no default band`);
  return found;
}

/** A provider's word for a tier → ours. Words that we do not know, `auto`, `standard` and none are `default`. */
export function readServiceTier(word: string | null | undefined): ServiceTier {
  switch (word?.toLowerCase()) {
    case 'flex':
      return 'flex';
    case 'priority':
      return 'priority';
    case 'batch':
      return 'batch';
    default:
      return 'default';
  }
}

import { SERVICE_TIERS } from '@tokone/pricing';
import type { ClassPrices, PriceBand, PriceSnapshot, ServiceTier } from '@tokone/pricing';
import { TOKEN_CLASSES } from '@tokone/protocol';
import { z } from 'zod';

const count = z.number().int().min(0);
const nanoUsd = z.string().regex(/^\d{1,30}$/).transform(BigInt);
/** Pairs, not an object: a unit may be called like something that every object has. */
const unitPrices = z.array(z.tuple([z.string(), nanoUsd])).transform((pairs) => {
  const found = Object.create(null) as Record<string, bigint>;
  for (const [unit, amountNanoUsd] of pairs) found[unit] = amountNanoUsd;
  return found;
});
const band = z.object({ aboveInputTokens: count, nanoUsdPerMillion: z.partialRecord(z.enum(TOKEN_CLASSES), nanoUsd) });
const snapshot = z.object({
  id: z.string(),
  model: z.string(),
  platform: z.enum(['openai', 'anthropic', 'gemini']),
  maxInputTokens: count,
  maxOutputTokens: count,
  tiers: z.partialRecord(z.enum(SERVICE_TIERS), z.array(band)),
  unitNanoUsd: unitPrices,
});

/**
 * `GET /internal/billing/prices?version=N`: the current version of the price book, and its prices when it is another
 * than the one that was named. Money as decimal strings of nano-USD.
 */
const currentPrices = z.object({ version: count, prices: z.array(snapshot).nullable() });
/** `GET /internal/billing/prices/by-id?id=…` */
const onePrice = z.object({ price: snapshot.nullable() });

export interface CurrentPrices {
  version: number;
  /** Null: unchanged. */
  prices: PriceSnapshot[] | null;
}

export function readCurrentPrices(json: unknown): CurrentPrices {
  return currentPrices.parse(json);
}

export function writeCurrentPrices(version: number, prices: readonly PriceSnapshot[] | null): unknown {
  return { version, prices: prices && prices.map(writeSnapshot) };
}

export function readOnePrice(json: unknown): PriceSnapshot | undefined {
  return onePrice.parse(json).price ?? undefined;
}

export function writeOnePrice(price: PriceSnapshot | undefined): unknown {
  return { price: price ? writeSnapshot(price) : null };
}

function writeSnapshot({ tiers, unitNanoUsd, ...plain }: PriceSnapshot): unknown {
  const written: Partial<Record<ServiceTier, unknown>> = {};
  for (const tier of SERVICE_TIERS) if (tiers[tier] !== undefined) written[tier] = tiers[tier].map(writeBand);
  return { ...plain, tiers: written, unitNanoUsd: Object.entries(unitNanoUsd).map(([unit, amount]) => [unit, amount.toString()]) };
}

function writeBand({ aboveInputTokens, nanoUsdPerMillion }: PriceBand): unknown {
  return { aboveInputTokens, nanoUsdPerMillion: writeClasses(nanoUsdPerMillion) };
}

function writeClasses(prices: ClassPrices): Record<string, string> {
  return Object.fromEntries(TOKEN_CLASSES.flatMap((name) => (prices[name] === undefined ? [] : [[name, prices[name].toString()]])));
}

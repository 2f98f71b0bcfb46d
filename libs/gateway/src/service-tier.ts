import { SERVICE_TIERS } from '@tokone/pricing';
import type { PriceSnapshot, ServiceTier } from '@tokone/pricing';
import { GatewayError } from '@tokone/protocol';
import type { BodyFacts } from '@tokone/protocol';

/**
 * The providers' words for their service tiers, asked for or answered, and the tier whose prices they cost. OpenAI
 * (API reference, `service_tier`): auto, default, flex, scale, priority, and fast for the same. Anthropic ("Service tiers"): auto and
 * standard_only asked, standard, priority and batch answered. Gemini (`serviceTier`): unspecified, standard, flex,
 * priority. Scale is capacity that the operator has bought beforehand and costs the default price.
 */
const TIER_OF_WORD: ReadonlyMap<string, ServiceTier> = new Map([
  ['auto', 'default'],
  ['default', 'default'],
  ['standard', 'default'],
  ['standard_only', 'default'],
  ['unspecified', 'default'],
  ['scale', 'default'],
  ['flex', 'flex'],
  ['priority', 'priority'],
  ['fast', 'priority'],
  ['batch', 'batch'],
]);

/**
 * The tier that a request asks for. Batch work has endpoints of its own: asked for here, it is held and charged at the
 * default price, unless the answer says that it was served so. Throws `invalid_field` for a word without a price.
 */
export function askedTier(word: string | undefined, price: PriceSnapshot): ServiceTier {
  const tier = word === undefined ? 'default' : TIER_OF_WORD.get(word.toLowerCase());
  // A cheaper tier without prices of its own is sold at the default price; a dearer one cannot be.
  if (tier === undefined || (tier === 'priority' && price.tiers.priority === undefined)) {
    throw unpriced('service_tier', word, `Leave it out, or use one of ${sold(price).join(', ')}.`);
  }
  return tier === 'batch' ? 'default' : tier;
}

/**
 * The tier that an answer is charged at. Where the answer names none, the asked one. A word that nobody knows is
 * charged at the dearest tier of the model, and `odd`: never cheaper than what the provider may bill.
 */
export function answeredTier(word: string | undefined, asked: ServiceTier, price: PriceSnapshot): { tier: ServiceTier; odd: boolean } {
  if (word === undefined) return { tier: asked, odd: false };
  const tier = TIER_OF_WORD.get(word.toLowerCase());
  if (tier === undefined) return { tier: dearestTier(price), odd: true };
  if (tier === 'priority' && price.tiers.priority === undefined) return { tier: dearestTier(price), odd: false };
  return { tier, odd: false };
}

/** Options that change the price at the provider and have no price here. */
export function refuseUnpricedOptions({ speed, inferenceGeo }: BodyFacts): void {
  if (speed !== undefined && speed !== 'standard') throw unpriced('speed', speed, 'Leave it out.');
  if (inferenceGeo !== undefined && inferenceGeo !== 'global') throw unpriced('inference_geo', inferenceGeo, 'Leave it out.');
}

function dearestTier({ tiers }: PriceSnapshot): ServiceTier {
  let dearest: ServiceTier = 'default';
  const outputPrice = (tier: ServiceTier) => tiers[tier]?.[0]?.nanoUsdPerMillion.output ?? 0n;
  for (const tier of SERVICE_TIERS) if (outputPrice(tier) > outputPrice(dearest)) dearest = tier;
  return dearest;
}

function sold(price: PriceSnapshot): string[] {
  return SERVICE_TIERS.filter((tier) => tier !== 'batch' && price.tiers[tier] !== undefined);
}

function unpriced(field: string, value: string | undefined, remedy: string): GatewayError {
  return new GatewayError('invalid_field', `${field}: "${(value ?? '').slice(0, 40)}" has no price here, so it cannot be sold. ${remedy}`, { field });
}

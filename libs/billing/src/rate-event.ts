import type { UsageRecorded } from '@tokone/events';
import { UnpricedError, rateAmounts, readServiceTier } from '@tokone/pricing';
import type { PriceSnapshot } from '@tokone/pricing';
import { TOKEN_CLASSES } from '@tokone/protocol';

export const PARK_REASONS = ['no_price', 'unpriced', 'absurd_count', 'absurd_amount', 'refused_with_usage'] as const;
export type ParkReason = (typeof PARK_REASONS)[number];
/** Those that a later version of the price book can end. */
export const REASONS_OF_PRICE: readonly ParkReason[] = ['no_price', 'unpriced'];

/** Amounts in nano-USD. */
export interface RatedAmounts {
  kind: 'rated';
  /** Before the multiplier. */
  listNanoUsd: bigint;
  /** What the request costs: list × multiplier, rounded once. */
  ratedNanoUsd: bigint;
  /** What the tenant pays: rated, at most the grant. */
  chargeNanoUsd: bigint;
  /** The gateway settled with another cost than this one: one of the two is wrong. */
  disagreement: boolean;
}

/** The event cannot be charged as it stands, and is not to be charged 0 either. */
export interface Parked {
  kind: 'parked';
  reason: ParkReason;
  detail: string;
}

/** No model takes or gives as much in one request. */
const MAX_COUNT = 2 ** 40;
/** The wire form of money has 18 digits. */
const MAX_AMOUNT_NANO_USD = 10n ** 18n - 1n;

/**
 * What a request costs, from the event and the price snapshot that it names: nothing else, so that anyone can
 * recompute it. An estimated event is rated like any other, on its tokens. A refused request and one that used
 * nothing cost 0, without a price.
 */
export function rateEvent(event: UsageRecorded, price: PriceSnapshot | undefined): RatedAmounts | Parked {
  const absurdity = findAbsurdity(event);
  if (absurdity) return absurdity;
  if (!usedAnything(event)) return amounts(event, 0n, 0n);
  if (event.outcome === 'refused') return parked('refused_with_usage', 'a refused request carries tokens or units');
  if (price === undefined) return parked('no_price', `there is no price ${event.priceId ?? '(none named)'}`);
  const { tokens, units, multiplierPpm } = event;
  try {
    const { amountNanoUsd: ratedNanoUsd, listNanoUsd } = rateAmounts(price, { tokens, units, tier: readServiceTier(event.serviceTier), multiplierPpm });
    if (ratedNanoUsd > MAX_AMOUNT_NANO_USD || listNanoUsd > MAX_AMOUNT_NANO_USD)
      return parked('absurd_amount', `rated at ${ratedNanoUsd} nano-USD`);
    return amounts(event, listNanoUsd, ratedNanoUsd);
  } catch (error) {
    if (error instanceof UnpricedError) return parked('unpriced', error.message);
    throw error;
  }
}

/**
 * Settle grants the whole cost up to the hold, and beyond it what the balance still covers. So a grant below
 * rated is explained by an empty balance only from the hold upwards, and a grant above rated by nothing.
 */
function amounts(event: UsageRecorded, listNanoUsd: bigint, ratedNanoUsd: bigint): RatedAmounts {
  const chargeNanoUsd = smaller(ratedNanoUsd, event.grantNanoUsd);
  const disagreement = event.grantNanoUsd > ratedNanoUsd || event.grantNanoUsd < smaller(ratedNanoUsd, event.holdNanoUsd);
  return { kind: 'rated', listNanoUsd, ratedNanoUsd, chargeNanoUsd, disagreement };
}

function findAbsurdity(event: UsageRecorded): Parked | undefined {
  for (const tokenClass of TOKEN_CLASSES) {
    if (!isCount(event.tokens[tokenClass])) return parked('absurd_count', `${tokenClass}: ${event.tokens[tokenClass]}`);
  }
  for (const [unit, quantity] of Object.entries(event.units)) {
    if (!isCount(quantity)) return parked('absurd_count', `${unit}: ${quantity}`);
  }
  return isCount(event.multiplierPpm) ? undefined : parked('absurd_count', `multiplier: ${event.multiplierPpm} ppm`);
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && value <= MAX_COUNT;
}

function usedAnything(event: UsageRecorded): boolean {
  return TOKEN_CLASSES.some((tokenClass) => event.tokens[tokenClass] > 0) || Object.values(event.units).some((quantity) => quantity > 0);
}

function parked(reason: ParkReason, detail: string): Parked {
  return { kind: 'parked', reason, detail };
}

function smaller(one: bigint, other: bigint): bigint {
  return one < other ? one : other;
}

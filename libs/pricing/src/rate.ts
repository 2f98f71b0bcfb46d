import { TOKEN_CLASSES, totalInputTokens } from '@tokone/protocol';
import type { TokenClass, TokenUsage, UnitUsage } from '@tokone/protocol';
import { bandOf } from './price-snapshot.js';
import type { PriceBand, PriceSnapshot, ServiceTier } from './price-snapshot.js';

/** One line of a charge: what was counted, at which price, and its share of the amount. */
export interface ChargeLine {
  /** A token class, or the name of a unit. */
  item: string;
  quantity: number;
  /** Nano-USD per million tokens, or per unit for units. */
  priceNanoUsd: bigint;
  amountNanoUsd: bigint;
}

export interface RatedUsage {
  /** Rounded once, half up. */
  amountNanoUsd: bigint;
  /** Sum exactly to the amount (largest remainder). */
  lines: ChargeLine[];
}

export interface RateInput {
  tokens: TokenUsage;
  units: UnitUsage;
  tier: ServiceTier;
  multiplierPpm: number;
}

/** Something was used that has no price: the event is parked, never charged 0. */
export class UnpricedError extends Error {
  constructor(
    readonly priceId: string,
    readonly item: string,
  ) {
    super(`price ${priceId} has no price for ${item}`);
  }
}

/** A line before rounding: nano-USD × `TOKEN_SCALE`. */
interface ScaledLine {
  item: string;
  quantity: number;
  priceNanoUsd: bigint;
  scaled: bigint;
}

/** Tokens and price have 10^6 each, the multiplier another 10^6. */
const TOKEN_SCALE = 1_000_000_000_000n;
const UNIT_SCALE = 1_000_000n;
/** A multiplier of 1. */
const PPM = 1_000_000n;

/**
 * The charge of one request: Σ quantity × price × multiplier, rounded once, half up. Pure: the gateway settles with
 * it, billing charges with it, and anyone can recompute it. Throws `UnpricedError` and, for counts and a
 * multiplier that are not integers ≥ 0, a RangeError.
 */
export function rateUsage(price: PriceSnapshot, input: RateInput): RatedUsage {
  const band = bandOf(price, input.tier, totalInputTokens(input.tokens));
  const multiplier = BigInt(checkedCount(input.multiplierPpm, 'multiplierPpm'));
  const parts: ScaledLine[] = [];
  for (const tokenClass of TOKEN_CLASSES) {
    const quantity = checkedCount(input.tokens[tokenClass], tokenClass);
    if (quantity === 0) continue;
    const priceNanoUsd = classPrice(price, band, tokenClass);
    parts.push({ item: tokenClass, quantity, priceNanoUsd, scaled: BigInt(quantity) * priceNanoUsd * multiplier });
  }
  // By name, because an object that went through a database may come back in another order.
  for (const unit of Object.keys(input.units).sort()) {
    const quantity = checkedCount(input.units[unit], unit);
    if (quantity === 0) continue;
    const priceNanoUsd = unitPrice(price, unit);
    parts.push({ item: unit, quantity, priceNanoUsd, scaled: BigInt(quantity) * priceNanoUsd * multiplier * UNIT_SCALE });
  }
  return distribute(parts, rateAmounts(price, input).amountNanoUsd);
}

/**
 * What a request costs, and what it would cost without the multiplier, without the lines, for those who rate by the
 * thousand. The amount of `rateUsage` is this one. Throws what `rateUsage` throws.
 */
export function rateAmounts(price: PriceSnapshot, input: RateInput): { amountNanoUsd: bigint; listNanoUsd: bigint } {
  const band = bandOf(price, input.tier, totalInputTokens(input.tokens));
  const multiplier = BigInt(checkedCount(input.multiplierPpm, 'multiplierPpm'));
  let sum = 0n;
  for (const tokenClass of TOKEN_CLASSES) {
    const quantity = checkedCount(input.tokens[tokenClass], tokenClass);
    if (quantity > 0) sum += BigInt(quantity) * classPrice(price, band, tokenClass);
  }
  for (const unit of Object.keys(input.units).sort()) {
    const quantity = checkedCount(input.units[unit], unit);
    if (quantity > 0) sum += BigInt(quantity) * unitPrice(price, unit) * UNIT_SCALE;
  }
  return { amountNanoUsd: rounded(sum * multiplier), listNanoUsd: rounded(sum * PPM) };
}

function rounded(scaled: bigint): bigint {
  return (scaled + TOKEN_SCALE / 2n) / TOKEN_SCALE;
}

/** Fallbacks between classes: what a provider bills like another class when it names no price of its own. */
const BILLED_LIKE: Partial<Record<TokenClass, TokenClass>> = {
  reasoning: 'output',
  cacheRead: 'input',
  cacheWrite5m: 'input',
  cacheWrite1h: 'cacheWrite5m',
  inputAudio: 'input',
};

/** Price of a class in a band. Throws `UnpricedError` where neither it nor the class it is billed like has one. */
export function classPrice(price: PriceSnapshot, band: PriceBand, tokenClass: TokenClass): bigint {
  for (let at: TokenClass | undefined = tokenClass; at !== undefined; at = BILLED_LIKE[at]) {
    const found = band.nanoUsdPerMillion[at];
    if (found !== undefined) return found;
  }
  throw new UnpricedError(price.id, tokenClass);
}

/** Price of one unit. Throws `UnpricedError`. */
export function unitPrice(price: PriceSnapshot, unit: string): bigint {
  const found = Object.hasOwn(price.unitNanoUsd, unit) ? price.unitNanoUsd[unit] : undefined;
  if (found === undefined) throw new UnpricedError(price.id, unit);
  return found;
}

function checkedCount(value: number | undefined, item: string): number {
  if (value === undefined || !Number.isSafeInteger(value) || value < 0) throw new RangeError(`${item} is not a count: ${value}`);
  return value;
}

/** Hands the nano-USD that floors left over to the lines with the largest remainders. */
function distribute(parts: readonly ScaledLine[], amountNanoUsd: bigint): RatedUsage {
  let whole = 0n;
  const lines: ChargeLine[] = [];
  for (const { item, quantity, priceNanoUsd, scaled } of parts) {
    const floorNanoUsd = scaled / TOKEN_SCALE;
    whole += floorNanoUsd;
    lines.push({ item, quantity, priceNanoUsd, amountNanoUsd: floorNanoUsd });
  }
  if (amountNanoUsd > whole) handOut(amountNanoUsd - whole, parts, lines);
  return { amountNanoUsd, lines };
}

function handOut(leftNanoUsd: bigint, parts: readonly ScaledLine[], lines: readonly ChargeLine[]): void {
  const remainders = parts.map(({ scaled }, index) => ({ line: lines[index], remainder: scaled % TOKEN_SCALE }));
  remainders.sort((a, b) => (a.remainder < b.remainder ? 1 : a.remainder > b.remainder ? -1 : 0));
  for (const { line } of remainders.slice(0, Number(leftNanoUsd))) if (line) line.amountNanoUsd += 1n;
}

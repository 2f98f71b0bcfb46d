import type { TokenClass } from '@tokone/protocol';
import { UnpricedError, classPrice, unitPrice } from './rate.js';
import type { PriceBand, PriceSnapshot, ServiceTier } from './price-snapshot.js';

export interface HoldEstimateInput {
  /** Upper estimate of all input, tokens. */
  inputTokens: number;
  /** Worst case of all output, tokens: the stated limit × answers, or the model's maximum × answers. */
  worstOutputTokens: number;
  /** Output that a stream's first hold should cover at least, tokens. */
  firstStepTokens: number;
  tier: ServiceTier;
  multiplierPpm: number;
  /** Classes that this request may be billed in beside plain input and cache reads, which no request can rule out. */
  inputClasses: readonly TokenClass[];
  /** Calls of hosted tools that are held for, by unit. */
  units: Readonly<Record<string, number>>;
}

export interface HoldEstimate {
  /** Input at its dearest class, and the units. */
  inputNanoUsd: bigint;
  /** Input and the worst output. */
  worstNanoUsd: bigint;
  firstStepNanoUsd: bigint;
  /** Nano-USD of one million output tokens at the dearest class, multiplier in: what extensions are counted in. */
  outputNanoUsdPerMillion: bigint;
}

const OUTPUT_CLASSES = ['output', 'reasoning', 'outputAudio', 'outputImage'] as const satisfies readonly TokenClass[];
const PPM = 1_000_000n;
const MILLION = 1_000_000n;

/**
 * What a request may cost at the most, each part rounded up: every input token in the dearest class that can apply,
 * in the dearest price band that it can reach. Throws `UnpricedError` when a hosted tool has no unit price.
 */
export function estimateHold(price: PriceSnapshot, input: HoldEstimateInput): HoldEstimate {
  const bands = reachableBands(price, input.tier, input.inputTokens);
  const inputPrice = dearest(price, bands, ['input', 'cacheRead', ...input.inputClasses]);
  const outputPrice = dearest(price, bands, OUTPUT_CLASSES.filter((tokenClass) => tokenClass === 'output' || bands.some((band) => band.nanoUsdPerMillion[tokenClass] !== undefined)));
  const multiplier = BigInt(input.multiplierPpm);
  let unitsNanoUsd = 0n;
  for (const [unit, calls] of Object.entries(input.units)) {
    unitsNanoUsd += ceilDivide(unitPrice(price, unit) * BigInt(calls) * multiplier, PPM);
  }
  const outputNanoUsdPerMillion = ceilDivide(outputPrice * multiplier, PPM);
  const inputNanoUsd = tokensNanoUsd(input.inputTokens, ceilDivide(inputPrice * multiplier, PPM)) + unitsNanoUsd;
  return {
    inputNanoUsd,
    worstNanoUsd: inputNanoUsd + tokensNanoUsd(input.worstOutputTokens, outputNanoUsdPerMillion),
    firstStepNanoUsd: tokensNanoUsd(Math.min(input.firstStepTokens, input.worstOutputTokens), outputNanoUsdPerMillion),
    outputNanoUsdPerMillion,
  };
}

/** Tokens × price per million, rounded up. */
export function tokensNanoUsd(tokens: number, nanoUsdPerMillion: bigint): bigint {
  return ceilDivide(BigInt(tokens) * nanoUsdPerMillion, MILLION);
}

/** How many whole tokens an amount buys. Free tokens are bought without end, so the answer is capped at 2^31. */
export function tokensFor(amountNanoUsd: bigint, nanoUsdPerMillion: bigint): number {
  if (amountNanoUsd <= 0n) return 0;
  const cap = 2 ** 31;
  if (nanoUsdPerMillion === 0n) return cap;
  const tokens = (amountNanoUsd * MILLION) / nanoUsdPerMillion;
  return tokens > BigInt(cap) ? cap : Number(tokens);
}

function reachableBands(price: PriceSnapshot, tier: ServiceTier, inputTokens: number): PriceBand[] {
  // A provider may serve another tier than the one asked for, and then bills the default.
  const bands = [...(price.tiers[tier] ?? []), ...(price.tiers.default ?? [])];
  return bands.filter((band) => band.aboveInputTokens === 0 || inputTokens > band.aboveInputTokens);
}

function dearest(price: PriceSnapshot, bands: readonly PriceBand[], classes: readonly TokenClass[]): bigint {
  let found: bigint | undefined;
  for (const band of bands) {
    for (const tokenClass of classes) {
      const candidate = classPrice(price, band, tokenClass);
      if (found === undefined || candidate > found) found = candidate;
    }
  }
  if (found === undefined) throw new UnpricedError(price.id, 'output');
  return found;
}

function ceilDivide(value: bigint, by: bigint): bigint {
  return (value + by - 1n) / by;
}

export { NANO_USD_PER_USD, PPM_ONE, readUsd, usdNumber, writeUsd } from './money.js';
export { SERVICE_TIERS, bandOf, readServiceTier } from './price-snapshot.js';
export type { ClassPrices, PriceBand, PriceSnapshot, ServiceTier } from './price-snapshot.js';
export { UnpricedError, classPrice, rateAmounts, rateUsage } from './rate.js';
export type { ChargeLine, RateInput, RatedUsage } from './rate.js';
export { estimateHold, tokensFor, tokensNanoUsd } from './hold-estimate.js';
export type { HoldEstimate, HoldEstimateInput } from './hold-estimate.js';

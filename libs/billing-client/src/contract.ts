export { priceBookContract } from './price-book.contract.js';
export type { PriceBookDriver, StatedPrice } from './price-book.contract.js';
export { usageQueryContract } from './usage-query.contract.js';
export type { UsageFact, UsageQueryDriver } from './usage-query.contract.js';

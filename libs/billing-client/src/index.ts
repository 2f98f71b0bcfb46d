export type { PriceBook } from './price-book.js';
export type { UsageQuery, UsageQueryRange, UsageReport, UsageSums } from './usage-query.js';

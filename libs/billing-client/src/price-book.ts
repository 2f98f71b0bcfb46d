import type { PriceSnapshot } from '@tokone/pricing';

/**
 * Prices as a gateway needs them. Drivers: billing's own tables, HTTP to the billing service.
 * `find` answers from memory (a price book is small); a new version is seen within 5 s.
 */
export interface PriceBook {
  /** The current price of a model; undefined when it has none and therefore cannot be sold. */
  find(model: string): PriceSnapshot | undefined;
  /** The snapshot of this id, current or not; undefined when it never existed. */
  byId(priceId: string): Promise<PriceSnapshot | undefined>;
  /** All models with a price, by name. */
  models(): readonly PriceSnapshot[];
}

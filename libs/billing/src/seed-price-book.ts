import { inTransaction } from '@tokone/persistence';
import type { Pool } from '@tokone/persistence';
import { readPriceSnapshot } from './price-row.js';
import type { ModelPrices } from './price-row.js';
import { withPrices } from './price-file.js';
import { completePrices, hashPrices, readPriceSeed } from './price-seed.js';
import type { PriceSeed } from './price-seed.js';

/** Two processes that start at once must not both find the table empty. */
const LOCK_NAME = 'tokone.billing.price_book';

/**
 * Makes the seed's prices the current version of the price book. The product's own table is left out when this very
 * content has been a version before and another of the product's followed it: a restart does not bring it back. What
 * an operator states in a file is what holds, and the product's table holds again when the file is gone. Rows are never changed: a new
 * version has a row of its own for each model. Any number of processes may call this at once.
 * @returns the current version.
 */
export async function ensurePriceBook(pool: Pool, seed: PriceSeed, nowMs: number): Promise<number> {
  const models = new Map(Object.entries(seed.models).map(([model, prices]) => [model, completePrices(model, prices)] as const));
  for (const [model, prices] of models) readPriceSnapshot('check', model, prices);
  const contentHash = hashPrices(models);
  return inTransaction(pool, async (client) => {
    await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [LOCK_NAME]);
    const origin = seed.origin ?? 'product';
    const { rows } = await client.query<{ version: number; origin: string; same: boolean; known: boolean }>(CURRENT_VERSION, [contentHash]);
    const current = rows[0];
    if (current?.same || (current?.known && origin === 'product' && current.origin === 'product')) return current.version;
    const next = (current?.version ?? 0) + 1;
    await client.query('INSERT INTO billing.price_book (version, created_at, source, origin, content_hash) VALUES ($1, $2, $3, $4, $5)', [
      next,
      new Date(nowMs),
      `${seed.source}, ${seed.date}`,
      origin,
      contentHash,
    ]);
    await client.query(INSERT_ROWS, [next, JSON.stringify([...models].map(writeRow))]);
    return next;
  });
}

/** The table to hold: an operator's prices, where they are stated, over those that come with the product. */
export function wantedPrices({ operatorPrices, priceSeed = readPriceSeed() }: { operatorPrices?: PriceSeed | undefined; priceSeed?: PriceSeed }): PriceSeed {
  return operatorPrices ? { ...withPrices(priceSeed, operatorPrices), origin: 'operator' } : priceSeed;
}

const CURRENT_VERSION = `
  SELECT version, origin, content_hash = $1 AS same, EXISTS (SELECT 1 FROM billing.price_book WHERE content_hash = $1) AS known
  FROM billing.price_book ORDER BY version DESC LIMIT 1
`;

const INSERT_ROWS = `
  INSERT INTO billing.price_row (id, version, model, platform, max_input_tokens, max_output_tokens, prices)
  SELECT $1::int || '/' || r.model, $1::int, r.model, r.platform, r.max_input_tokens, r.max_output_tokens, r.prices
  FROM jsonb_to_recordset($2::jsonb)
    AS r (model text, platform text, max_input_tokens bigint, max_output_tokens bigint, prices jsonb)
`;

function writeRow([model, prices]: readonly [string, ModelPrices]): object {
  return {
    model,
    platform: prices.platform,
    max_input_tokens: prices.maxInputTokens,
    max_output_tokens: prices.maxOutputTokens,
    prices: { tiers: prices.tiers, unitUsd: prices.unitUsd },
  };
}

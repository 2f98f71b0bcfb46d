import { inTransaction } from '@tokone/persistence';
import type { Pool } from '@tokone/persistence';
import { readPriceSnapshot } from './price-row.js';
import type { ModelPrices } from './price-row.js';
import { completePrices, hashPrices } from './price-seed.js';
import type { PriceSeed } from './price-seed.js';

/** Two processes that start at once must not both find the table empty. */
const LOCK_NAME = 'tokone.billing.price_book';

/**
 * Makes the seed's prices the current version of the price book, unless this very content has been a version before
 * (then an operator may have replaced it since, and a restart does not bring it back). Rows are never changed: a new
 * version has a row of its own for each model. Any number of processes may call this at once.
 * @returns the current version.
 */
export async function ensurePriceBook(pool: Pool, seed: PriceSeed, nowMs: number): Promise<number> {
  const models = new Map(Object.entries(seed.models).map(([model, prices]) => [model, completePrices(model, prices)] as const));
  for (const [model, prices] of models) readPriceSnapshot('check', model, prices);
  const contentHash = hashPrices(models);
  return inTransaction(pool, async (client) => {
    await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [LOCK_NAME]);
    const { rows } = await client.query<{ version: number; known: boolean }>(
      'SELECT coalesce(max(version), 0)::int AS version, coalesce(bool_or(content_hash = $1), false) AS known FROM billing.price_book',
      [contentHash],
    );
    const { version, known } = rows[0] ?? { version: 0, known: false };
    if (known) return version;
    const next = version + 1;
    await client.query('INSERT INTO billing.price_book (version, created_at, source, content_hash) VALUES ($1, $2, $3, $4)', [
      next,
      new Date(nowMs),
      `${seed.source}, ${seed.date}`,
      contentHash,
    ]);
    await client.query(INSERT_ROWS, [next, JSON.stringify([...models].map(writeRow))]);
    return next;
  });
}

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

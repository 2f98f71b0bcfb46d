/** What a row of the rollup counts, and what it is in terms of a usage row. */
const SUMS: readonly (readonly [column: string, ofUsage: string])[] = [
  ['requests', 'count(*)'],
  // Disjoint, as a tenant sees them: cached input is not part of `input_tokens`, thinking is part of `output_tokens`.
  ['input_tokens', 'sum(input_tokens + input_audio_tokens)'],
  ['output_tokens', 'sum(output_tokens + reasoning_tokens + output_audio_tokens + output_image_tokens)'],
  ['cache_creation_tokens', 'sum(cache_write_5m_tokens + cache_write_1h_tokens)'],
  ['cache_read_tokens', 'sum(cache_read_tokens)'],
  ['list_nano_usd', 'sum(list_nano_usd)'],
  ['charge_nano_usd', 'sum(charge_nano_usd)'],
  ['duration_ms', `sum((extract(epoch FROM greatest(ended_at - started_at, interval '0')) * 1000)::bigint)`],
];

/** The columns of `billing.usage` that `ROLL_UP` reads. */
export const ROLLED_COLUMNS = `key_id, model, admitted, started_at, ended_at, input_tokens, input_audio_tokens, output_tokens,
  reasoning_tokens, output_audio_tokens, output_image_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cache_read_tokens,
  list_nano_usd, charge_nano_usd`;

export const ROLLUP_SUM_COLUMNS: readonly string[] = SUMS.map(([column]) => column);

/** The sums above over usage rows, each under its name. */
export const USAGE_SUMS = SUMS.map(([column, ofUsage]) => `${ofUsage} AS ${column}`).join(', ');

/**
 * Adds usage rows that were really inserted, the rows of `inserted`, to `billing.usage_rollup`: part of the inserting
 * statement, so that the sums and the rows are never apart. Refusals do not count.
 *
 * The upsert locks by rising key, bucket and model, and only after all rows of the statement are inserted: two
 * consumers that share keys wait for each other in one direction only.
 */
export const ROLL_UP = `
  INSERT INTO billing.usage_rollup AS r (key_id, bucket, model, ${ROLLUP_SUM_COLUMNS.join(', ')})
  SELECT key_id, date_bin('15 minutes', ended_at, 'epoch'::timestamptz) AS bucket, model, ${USAGE_SUMS}
  FROM inserted WHERE admitted GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
  ON CONFLICT (key_id, bucket, model) DO UPDATE
  SET ${ROLLUP_SUM_COLUMNS.map((column) => `${column} = r.${column} + excluded.${column}`).join(', ')}`;

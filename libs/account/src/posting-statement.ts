/**
 * Posts one batch of charges. One statement, hence one transaction and one snapshot.
 *
 * Parameters: $1 charge ids, $2 account ids, $3 rated, $4 charge (what admission granted), $5 content hashes (hex),
 * all arrays of the same length, and $6 the shard of revenue and write-off. One row comes back per distinct id.
 *
 * Why it stands like this:
 * - `input`: the same id twice in one batch would join twice further down, and so be charged twice.
 * - `posted` inserts by rising id, and `locked` locks by rising id after that: two batches at once then wait for each
 *   other in one direction only. The count in `locked` is what forces the inserts to come first.
 * - `locked` reads each row after it has the lock, so balances are those of the last committed batch even though the
 *   statement's snapshot is older. All amounts come from there, none from the snapshot.
 * - `debits`: charges that use up the wallet in order take min(wallet, running sum), so one charge takes the
 *   difference of two such terms.
 * - Wallets whose charges were all posted before are locked too: the caller repeats their push.
 */
export const POSTING_STATEMENT = `
WITH input AS MATERIALIZED (
  SELECT DISTINCT ON (i.id) i.id, i.account_id, i.rated, i.charge, decode(i.hash, 'hex') AS hash, i.position, w.id AS wallet_id
  FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::text[])
    WITH ORDINALITY AS i (id, account_id, rated, charge, hash, position)
  LEFT JOIN account.ledger_accounts w ON w.kind = 'wallet' AND w.account_id = i.account_id
  ORDER BY i.id, i.position
), posted AS (
  INSERT INTO account.transfers (id, kind, account_id, amount, granted, hash)
  SELECT i.id, 'charge', i.account_id, i.rated, i.charge, i.hash FROM input i
  WHERE i.wallet_id IS NOT NULL AND i.rated > 0
    AND NOT EXISTS (SELECT 1 FROM account.zero_charges z WHERE z.id = i.id)
  ORDER BY i.id
  ON CONFLICT (id) DO NOTHING
  RETURNING id
), locked AS MATERIALIZED (
  SELECT l.id, l.kind, l.balance, l.seq FROM account.ledger_accounts l
  WHERE (SELECT count(*) FROM posted) >= 0
    AND l.id IN (
      SELECT i.wallet_id FROM input i
      UNION
      SELECT s.id FROM account.ledger_accounts s WHERE s.kind IN ('revenue', 'write_off') AND s.account_id IS NULL AND s.shard = $6
    )
  ORDER BY l.id
  FOR UPDATE OF l
), debits AS MATERIALIZED (
  SELECT i.id, i.wallet_id, i.position, i.rated,
    (least(w.balance, sum(i.charge) OVER earlier) - least(w.balance, sum(i.charge) OVER earlier - i.charge))::bigint AS debit
  FROM input i JOIN posted p ON p.id = i.id JOIN locked w ON w.id = i.wallet_id
  WINDOW earlier AS (PARTITION BY i.wallet_id ORDER BY i.position ROWS UNBOUNDED PRECEDING)
), moves AS MATERIALIZED (
  SELECT id AS transfer_id, 1::smallint AS leg, wallet_id AS ledger_account_id, position, -debit AS amount
  FROM debits WHERE debit > 0
  UNION ALL
  SELECT id, 2::smallint, (SELECT l.id FROM locked l WHERE l.kind = 'write_off'), position, debit - rated
  FROM debits WHERE debit < rated
  UNION ALL
  SELECT id, 3::smallint, (SELECT l.id FROM locked l WHERE l.kind = 'revenue'), position, rated
  FROM debits
), entered AS (
  INSERT INTO account.entries (transfer_id, leg, ledger_account_id, seq, amount, balance_after)
  SELECT m.transfer_id, m.leg, m.ledger_account_id, l.seq + row_number() OVER earlier, m.amount, l.balance + sum(m.amount) OVER earlier
  FROM moves m JOIN locked l ON l.id = m.ledger_account_id
  WINDOW earlier AS (PARTITION BY m.ledger_account_id ORDER BY m.position ROWS UNBOUNDED PRECEDING)
), totals AS MATERIALIZED (
  SELECT ledger_account_id, sum(amount)::bigint AS amount, count(*) AS entries FROM moves GROUP BY ledger_account_id
), moved AS (
  UPDATE account.ledger_accounts l SET balance = l.balance + t.amount, seq = l.seq + t.entries
  FROM totals t WHERE l.id = t.ledger_account_id
), zero AS (
  INSERT INTO account.zero_charges (id, account_id)
  SELECT i.id, i.account_id FROM input i
  WHERE i.wallet_id IS NOT NULL AND i.rated = 0 AND NOT EXISTS (SELECT 1 FROM account.transfers t WHERE t.id = i.id)
  ORDER BY i.id
  ON CONFLICT (id) DO NOTHING
  RETURNING id
)
SELECT i.position, i.wallet_id IS NOT NULL AS known, p.id IS NOT NULL OR z.id IS NOT NULL AS new, d.debit,
  l.balance + coalesce(t.amount, 0) AS balance, l.seq + coalesce(t.entries, 0) AS seq
FROM input i
LEFT JOIN posted p ON p.id = i.id
LEFT JOIN zero z ON z.id = i.id
LEFT JOIN debits d ON d.id = i.id
LEFT JOIN locked l ON l.id = i.wallet_id
LEFT JOIN totals t ON t.ledger_account_id = i.wallet_id`;

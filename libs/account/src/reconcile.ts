import type { Pool } from '@tokone/persistence';

export interface LedgerMismatch {
  check: keyof typeof CHECKS;
  /** What is wrong: id of the ledger account or transfer. Empty for the sum of all entries. */
  subject: string;
  detail: string;
}

/** Most rows that one check names: a mismatch is a page for a person, not a report. */
const MISMATCHES_PER_CHECK = 100;

/**
 * Each finds nothing in a right ledger. They read one consistent snapshot and change nothing: a mismatch is never
 * mended by a program.
 */
const CHECKS = {
  entries_sum_to_zero: `
    SELECT '' AS subject, 'all entries sum to ' || sum(amount) AS detail FROM account.entries HAVING sum(amount) <> 0`,
  balance_is_its_entries: `
    SELECT l.id::text AS subject,
      'balance ' || l.balance || ' seq ' || l.seq || ', entries sum to ' || coalesce(e.total, 0) || ', are ' || coalesce(e.entries, 0)
        || ', last seq ' || coalesce(e.last_seq, 0) AS detail
    FROM account.ledger_accounts l
    LEFT JOIN (
      SELECT ledger_account_id, sum(amount) AS total, count(*) AS entries, max(seq) AS last_seq
      FROM account.entries GROUP BY ledger_account_id
    ) e ON e.ledger_account_id = l.id
    WHERE l.balance <> coalesce(e.total, 0) OR l.seq <> coalesce(e.entries, 0) OR l.seq <> coalesce(e.last_seq, 0)`,
  balance_chain: `
    SELECT ledger_account_id::text || '/' || seq AS subject, 'balance_after ' || balance_after || ' instead of ' || expected AS detail
    FROM (
      SELECT ledger_account_id, seq, balance_after, sum(amount) OVER (PARTITION BY ledger_account_id ORDER BY seq) AS expected
      FROM account.entries
    ) chain
    WHERE balance_after <> expected`,
  entries_have_an_account: `
    SELECT e.transfer_id::text AS subject, 'leg ' || e.leg || ' belongs to no ledger account' AS detail
    FROM account.entries e LEFT JOIN account.ledger_accounts l ON l.id = e.ledger_account_id WHERE l.id IS NULL`,
  transfers_are_balanced: `
    SELECT coalesce(t.id, e.transfer_id)::text AS subject,
      CASE
        WHEN t.id IS NULL THEN 'entries without a transfer'
        WHEN e.transfer_id IS NULL THEN 'a transfer without entries'
        ELSE 'legs sum to ' || e.total || ', move ' || e.moved || ' of ' || t.amount
      END AS detail
    FROM account.transfers t
    FULL JOIN (
      SELECT transfer_id, sum(amount) AS total, sum(amount) FILTER (WHERE amount > 0) AS moved
      FROM account.entries GROUP BY transfer_id
    ) e ON e.transfer_id = t.id
    WHERE t.id IS NULL OR e.transfer_id IS NULL OR e.total <> 0 OR e.moved IS DISTINCT FROM t.amount`,
  charges_within_grant: `
    SELECT t.id::text AS subject, 'the wallet paid ' || -e.amount || ' of a grant of ' || t.granted AS detail
    FROM account.transfers t
    JOIN account.entries e ON e.transfer_id = t.id
    JOIN account.ledger_accounts l ON l.id = e.ledger_account_id AND l.kind = 'wallet'
    WHERE t.kind = 'charge' AND (-e.amount > t.granted OR e.amount > 0 OR l.account_id <> t.account_id)`,
} as const;

/** All checks on one snapshot. Empty: the books are right. */
export async function reconcile(pool: Pool): Promise<LedgerMismatch[]> {
  const checks = Object.entries(CHECKS) as [LedgerMismatch['check'], string][];
  const parts = checks.map(([check, sql]) => `(SELECT '${check}' AS "check", subject, detail FROM (${sql}) found LIMIT ${MISMATCHES_PER_CHECK})`);
  const { rows } = await pool.query<LedgerMismatch>(parts.join('\nUNION ALL\n'));
  return rows;
}

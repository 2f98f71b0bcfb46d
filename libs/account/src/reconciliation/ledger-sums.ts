import type { Pool } from '@tokone/persistence';
import { FIRST_ID } from '@tokone/protocol';
import type { Findings } from './check-report.js';

const PAGE_ENTRIES = 20_000;
const MOST_NAMED = 100;

interface PageRow {
  looked: number;
  last: string | null;
  wrong: number;
  named: { id: string; total: string }[] | null;
}

/**
 * R1. The balances of all ledger accounts in one snapshot; that each is the sum of its entries is R2. Full: also every
 * transfer by itself, in pages by its id, else those that the report before had named. A transfer's legs are committed together, so a page needs no snapshot of the whole.
 */
export async function checkLedgerSums(pool: Pool, findings: Findings, { full, again }: { full: boolean; again: readonly string[] }): Promise<void> {
  const { rows } = await pool.query<{ total: string }>('SELECT coalesce(sum(balance), 0)::text AS total FROM account.ledger_accounts');
  if (rows[0]?.total !== '0') findings.add('all balances', `they sum to ${rows[0]?.total}`);
  if (!full && again.length > 0) {
    const { rows: wrong } = await pool.query<{ id: string; total: string }>('SELECT transfer_id AS id, sum(amount)::text AS total FROM account.entries WHERE transfer_id = ANY($1::uuid[]) GROUP BY 1 HAVING sum(amount) <> 0', [again]);
    for (const { id, total } of wrong) findings.add(id, `its legs sum to ${total}`);
  }
  for (let after: string | null = full ? FIRST_ID : null; after !== null; ) {
    const page: PageRow | undefined = (await pool.query<PageRow>(PAGE, [after])).rows[0];
    for (const { id, total } of page?.named ?? []) findings.add(id, `its legs sum to ${total}`);
    findings.mismatches += (page?.wrong ?? 0) - (page?.named?.length ?? 0);
    after = page?.looked === PAGE_ENTRIES ? page.last : null;
  }
}

/** The last transfer of a full page may go on in the next one. */
const PAGE = `
  WITH page AS MATERIALIZED (
    SELECT transfer_id, amount FROM account.entries WHERE transfer_id > $1 ORDER BY transfer_id, leg LIMIT ${PAGE_ENTRIES}
  ), place AS MATERIALIZED (
    SELECT count(*)::int AS looked, (SELECT transfer_id FROM page ORDER BY transfer_id DESC LIMIT 1) AS cut FROM page
  ), whole AS MATERIALIZED (
    SELECT p.transfer_id AS id, sum(p.amount) AS total FROM page p, place WHERE place.looked < ${PAGE_ENTRIES} OR p.transfer_id < place.cut GROUP BY 1
  )
  SELECT looked, (SELECT id FROM whole ORDER BY id DESC LIMIT 1) AS last, (SELECT count(*) FROM whole WHERE total <> 0)::int AS wrong,
    (SELECT json_agg(json_build_object('id', id, 'total', total::text)) FROM (SELECT id, total FROM whole WHERE total <> 0 ORDER BY id LIMIT ${MOST_NAMED}) w) AS named
  FROM place`;

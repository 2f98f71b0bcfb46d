import { findMoneyFaults, waitFor } from '@tokone/testing';
import type { LedgerView } from '@tokone/testing';
import type { Deployment } from './deployment.js';
import type { SpoolTotals } from './spool-content.js';

/** How late a posting may be seen. */
export const POSTED_POLL_MS = 50;
/** A rule over a million rows, on a busy machine. */
const CHECK_TIMEOUT_MS = 600_000;

/** Charges that the ledger has posted, counted without reading them: each is one entry of a wallet. */
export async function countPostings(view: LedgerView): Promise<number> {
  const { rows } = await view.pool.query<{ entries: string }>("SELECT sum(seq)::text AS entries FROM account.ledger_accounts WHERE kind = 'wallet'");
  return Number(rows[0]?.entries ?? 0);
}

/** Resolves when so many are posted, to a twentieth of a second. */
export async function postingsReach(view: LedgerView, count: number, deadlineMs: number): Promise<void> {
  await waitFor(async () => (await countPostings(view)) >= count, { what: `${count} postings`, deadlineMs, intervalMs: POSTED_POLL_MS });
}

/**
 * Compares what was put into spools with tables and ledger, to the nano-USD: rows, sums of each account, balances, and
 * every rule of the money. @throws with what is wrong
 */
export async function checkTotals({ view, databaseUrl }: Deployment, { totals, topUpNanoUsd }: { totals: readonly SpoolTotals[]; topUpNanoUsd: bigint }): Promise<void> {
  const expected = new Map<string, bigint>();
  for (const { nanoUsdByAccount } of totals) {
    for (const [accountId, nanoUsd] of Object.entries(nanoUsdByAccount)) expected.set(accountId, (expected.get(accountId) ?? 0n) + BigInt(nanoUsd));
  }
  const faults = await findMoneyFaults({ databaseUrl, truth: [], statementTimeoutMs: CHECK_TIMEOUT_MS });
  const events = totals.reduce((sum, { events: count }) => sum + count, 0);
  const { rows: counts } = await view.pool.query<{ rows: string; transfers: string }>("SELECT (SELECT count(*) FROM billing.usage WHERE admitted)::text AS rows, (SELECT count(*) FROM account.transfers WHERE kind = 'charge')::text AS transfers");
  if (counts[0]?.rows !== String(events) || counts[0].transfers !== String(events)) faults.push(`${events} events came to ${counts[0]?.rows} admitted usage rows and ${counts[0]?.transfers} transfers`);
  const { rows } = await view.pool.query<{ id: string; charged: string; balance: string }>(`
    SELECT w.account_id AS id, w.balance::text, coalesce(u.charged, 0)::text AS charged FROM account.ledger_accounts w
    LEFT JOIN (SELECT account_id, sum(charge_nano_usd) AS charged FROM billing.usage GROUP BY 1) u ON u.account_id = w.account_id WHERE w.kind = 'wallet'`);
  const found = new Map(rows.map((row) => [row.id, row]));
  for (const [accountId, nanoUsd] of expected) {
    const row = found.get(accountId);
    if (row?.charged !== nanoUsd.toString() || row.balance !== (topUpNanoUsd - nanoUsd).toString()) faults.push(`account ${accountId} was charged ${row?.charged}, has ${row?.balance}, and should have paid ${nanoUsd}`);
  }
  if (faults.length > 0) throw new Error(`The totals are wrong: ${faults.slice(0, 10).join('; ')}`);
}

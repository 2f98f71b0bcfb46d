import type { Pool } from '@tokone/persistence';

/** How many wallets are below zero. A constraint forbids it, so that any is a defect, or a hand in the database. */
export async function countNegativeWallets(pool: Pick<Pool, 'query'>): Promise<number> {
  const { rows } = await pool.query<{ wallets: number }>(`SELECT count(*)::int AS wallets FROM account.ledger_accounts WHERE kind = 'wallet' AND balance < 0`);
  return rows[0]?.wallets ?? Number.NaN;
}

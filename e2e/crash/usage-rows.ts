import type { Pool } from '@tokone/persistence';

/** A usage row of an admitted request, with what the ledger has of it. */
export interface UsageRow {
  id: string;
  requestBytes: number;
  outcome: string;
  estimated: boolean;
  tokens: { input: number; cacheRead: number; cacheWrite: number; output: number };
  chargeNanoUsd: bigint;
  ratedNanoUsd: bigint;
  grantNanoUsd: bigint;
  holdNanoUsd: bigint;
  transfers: number;
}

const USAGE = `
  SELECT u.id, u.request_bytes, u.outcome, u.estimated, u.input_tokens, u.cache_read_tokens, u.cache_write_5m_tokens + u.cache_write_1h_tokens AS cache_write,
    u.output_tokens + u.reasoning_tokens AS output, u.charge_nano_usd, u.rated_nano_usd, u.grant_nano_usd, u.hold_nano_usd,
    (SELECT count(*) FROM account.transfers t WHERE t.id = u.id AND t.kind = 'charge') AS transfers
  FROM billing.usage u WHERE u.admitted`;

interface RawRow extends Record<string, unknown> {
  id: string;
  outcome: string;
  estimated: boolean;
}

export async function readUsageRows(pool: Pool): Promise<UsageRow[]> {
  const { rows } = await pool.query<RawRow>(USAGE);
  return rows.map((row) => {
    const money = (name: string) => BigInt(row[name] as bigint);
    const count = (name: string) => Number(row[name]);
    return {
      id: row.id,
      requestBytes: count('request_bytes'),
      outcome: row.outcome,
      estimated: row.estimated,
      tokens: { input: count('input_tokens'), cacheRead: count('cache_read_tokens'), cacheWrite: count('cache_write'), output: count('output') },
      chargeNanoUsd: money('charge_nano_usd'),
      ratedNanoUsd: money('rated_nano_usd'),
      grantNanoUsd: money('grant_nano_usd'),
      holdNanoUsd: money('hold_nano_usd'),
      transfers: count('transfers'),
    };
  });
}

/** Charges that are rated and not in the ledger: with rows in the outbox, and in all. */
export async function countUnposted(pool: Pool): Promise<{ outboxRows: number; charges: number }> {
  const { rows } = await pool.query<{ outbox: bigint; charges: bigint }>(`
    SELECT (SELECT count(*) FROM billing.outbox) AS outbox,
      (SELECT count(*) FROM billing.usage u WHERE u.charge_nano_usd > 0 AND NOT EXISTS (SELECT 1 FROM account.transfers t WHERE t.id = u.id)) AS charges`);
  return { outboxRows: Number(rows[0]?.outbox), charges: Number(rows[0]?.charges) };
}

/** Connections of others: those of a killed process may still be at work on their last statement. */
export async function countOtherConnections(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ others: bigint }>(`
    SELECT count(*) AS others FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND application_name <> current_setting('application_name')`);
  return Number(rows[0]?.others);
}

/** Balance of an account's wallet, what was topped up, and what its requests were charged. Nano-USD. */
export async function readWallet(pool: Pool, accountId: string): Promise<{ balance: bigint; toppedUp: bigint; charged: bigint }> {
  const { rows } = await pool.query<{ balance: bigint; topped_up: bigint; charged: bigint }>(
    `SELECT (SELECT balance FROM account.ledger_accounts WHERE kind = 'wallet' AND account_id = $1) AS balance,
      (SELECT coalesce(sum(amount), 0)::bigint FROM account.transfers WHERE kind = 'top_up' AND account_id = $1) AS topped_up,
      (SELECT coalesce(sum(charge_nano_usd), 0)::bigint FROM billing.usage WHERE account_id = $1) AS charged`,
    [accountId],
  );
  const [row] = rows;
  if (!row) throw new Error(`account ${accountId} has no wallet`);
  return { balance: row.balance, toppedUp: row.topped_up, charged: row.charged };
}

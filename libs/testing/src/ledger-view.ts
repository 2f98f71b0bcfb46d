import { openPool } from '@tokone/persistence';
import type { Pool } from '@tokone/persistence';
import type { Product } from './product.js';
import { waitFor } from './wait-for.js';

/** One row of `billing.usage`; amounts are nano-USD. */
export interface UsageView {
  id: string;
  model: string;
  outcome: string;
  errorCode: string | null;
  status: number;
  estimated: boolean;
  odd: boolean;
  serviceTier: string | null;
  inputTokens: number;
  outputTokens: number;
  units: Record<string, number> | null;
  ratedNanoUsd: bigint;
  chargeNanoUsd: bigint;
  grantNanoUsd: bigint;
  holdNanoUsd: bigint;
}

const USAGE = `
  SELECT id, model, outcome, error_code AS "errorCode", status::int, estimated, odd, service_tier AS "serviceTier", units,
    (input_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens)::float8 AS "inputTokens",
    (output_tokens + reasoning_tokens)::float8 AS "outputTokens", rated_nano_usd::text AS rated, charge_nano_usd::text AS charge,
    grant_nano_usd::text AS granted, hold_nano_usd::text AS hold
  FROM billing.usage`;

type UsageRecord = Omit<UsageView, 'ratedNanoUsd' | 'chargeNanoUsd' | 'grantNanoUsd' | 'holdNanoUsd'> & { rated: string; charge: string; granted: string; hold: string };

/** Reads what a deployment's database says, past the product. Its owner must close it. */
export class LedgerView {
  readonly pool: Pool;

  constructor(private readonly product: Product) {
    this.pool = openPool({ url: product.addresses.databaseUrl, poolSize: 2, statementTimeoutMs: 30_000, applicationName: 'test view' });
  }

  /** Waits until nothing runs, no hold is left, and every closed request is posted. */
  async quiet(deadlineMs = 30_000): Promise<void> {
    const isQuiet = async () => {
      const { running, held, settled } = await this.product.holds();
      return running + held + settled === 0;
    };
    await waitFor(isQuiet, { what: 'every request to be closed and posted', deadlineMs });
  }

  /** Nano-USD that an account has. */
  async balanceOf(accountId: string): Promise<bigint> {
    const { rows } = await this.pool.query<{ balance: string }>("SELECT balance::text FROM account.ledger_accounts WHERE kind = 'wallet' AND account_id = $1", [accountId]);
    return BigInt(rows[0]?.balance ?? '-1');
  }

  /** Nano-USD that the deployment has borne itself. */
  async writtenOff(): Promise<bigint> {
    const { rows } = await this.pool.query<{ total: string }>("SELECT sum(balance)::bigint::text AS total FROM account.ledger_accounts WHERE kind = 'write_off'");
    return BigInt(rows[0]?.total ?? '0');
  }

  /** The usage row of a request; waits for it. */
  async usageOf(requestId: string, deadlineMs = 15_000): Promise<UsageView> {
    const find = async () => (await this.pool.query<UsageRecord>(`${USAGE} WHERE id = $1`, [requestId])).rows[0];
    return readRow(await waitFor(find, { what: `the usage row of ${requestId}`, deadlineMs }));
  }

  /** The admitted calls of an account, in the order of their beginning. */
  async usageOfAccount(accountId: string): Promise<UsageView[]> {
    const { rows } = await this.pool.query<UsageRecord>(`${USAGE} WHERE account_id = $1 AND admitted ORDER BY id`, [accountId]);
    return rows.map(readRow);
  }

  async close(): Promise<void> {
    await this.pool.end();
  }
}

function readRow({ rated, charge, granted, hold, ...row }: UsageRecord): UsageView {
  return { ...row, ratedNanoUsd: BigInt(rated), chargeNanoUsd: BigInt(charge), grantNanoUsd: BigInt(granted), holdNanoUsd: BigInt(hold) };
}

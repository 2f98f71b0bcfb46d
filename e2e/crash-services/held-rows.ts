import type { Pool, PoolClient } from '@tokone/persistence';
import { waitFor } from '@tokone/testing';

export interface WaitingTransaction {
  backendId: number;
  /** When its transaction began, which tells it from a later one of the same connection. */
  begunAt: string;
}

/** Rows that are locked for a while, so that whoever needs them stands before its commit. */
export class HeldRows {
  private constructor(
    private readonly pool: Pool,
    private readonly client: PoolClient,
    private readonly holderId: number,
  ) {}

  /** `select`: a SELECT … FOR UPDATE. */
  static async hold(pool: Pool, select: string): Promise<HeldRows> {
    const client = await pool.connect();
    await client.query('BEGIN');
    const { rowCount } = await client.query(select);
    if (rowCount === 0) throw new Error(`there is nothing to hold: ${select}`);
    const { rows } = await client.query<{ id: number }>('SELECT pg_backend_pid() AS id');
    return new HeldRows(pool, client, Number(rows[0]?.id));
  }

  /** Waits until a connection of that name waits for them. */
  awaited(application: string, deadlineMs: number): Promise<WaitingTransaction> {
    return waitFor(async () => (await this.waiting(application))[0], { what: `${application} to wait for rows`, deadlineMs, intervalMs: 5 });
  }

  async waiting(application: string): Promise<WaitingTransaction[]> {
    const { rows } = await this.pool.query<{ pid: number; begun: string }>(
      'SELECT pid, xact_start::text AS begun FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1 AND $2 = ANY(pg_blocking_pids(pid))',
      [application, this.holderId],
    );
    return rows.map(({ pid, begun }) => ({ backendId: pid, begunAt: begun }));
  }

  async release(): Promise<void> {
    await this.client.query('ROLLBACK');
    this.client.release();
  }
}

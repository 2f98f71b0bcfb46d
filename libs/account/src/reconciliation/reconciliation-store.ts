import type { Pool, PoolClient } from '@tokone/persistence';
import type { ReconciliationReport } from './check-report.js';
import type { ReconciliationState } from './reconciliation.js';

export interface KeptReconciliation {
  report: ReconciliationReport;
  state: ReconciliationState;
  /** Milliseconds since it was kept, by the database's clock. */
  ageMs: number;
}

const LOCK = 'tokone.account.reconciliation';

/** The last report, in account's own table, and the lock by which one replica at a time makes one. */
export class ReconciliationStore {
  constructor(private readonly pool: Pool) {}

  async last(): Promise<KeptReconciliation | undefined> {
    const { rows } = await this.pool.query<KeptReconciliation>(`SELECT report, state, extract(epoch FROM now() - finished_at)::float8 * 1000 AS "ageMs" FROM account.reconciliation`);
    return rows[0];
  }

  async keep(report: ReconciliationReport, state: ReconciliationState): Promise<void> {
    await this.pool.query(KEEP, [JSON.stringify(report), JSON.stringify(state)]);
  }

  /** Runs the work while no replica runs it, else returns undefined. A lock of a connection: it ends with the process. */
  async exclusively<Result>(work: () => Promise<Result>): Promise<{ result: Result } | undefined> {
    const client = await this.pool.connect();
    let broken: Error | undefined;
    const noteBreak = (error: Error): void => void (broken = error);
    client.on('error', noteBreak);
    try {
      if (!(await isLocked(client))) return undefined;
      try {
        return { result: await work() };
      } finally {
        await client.query('SELECT pg_advisory_unlock(hashtextextended($1, 0))', [LOCK]).catch(noteBreak);
      }
    } finally {
      client.off('error', noteBreak);
      client.release(broken);
    }
  }
}

async function isLocked(client: PoolClient): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>('SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS locked', [LOCK]);
  return rows[0]?.locked === true;
}

const KEEP = `
  INSERT INTO account.reconciliation (report, state) VALUES ($1, $2)
  ON CONFLICT (only_one) DO UPDATE SET report = excluded.report, state = excluded.state, finished_at = now()`;

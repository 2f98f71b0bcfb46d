import type { Pool } from '@tokone/persistence';
import type { HealthCheck } from '@tokone/service';

/** Whether account's tables answer. The message of a failure may name the server, so it is not shown. */
export function databaseCheck(pool: Pool): HealthCheck {
  return {
    name: 'database',
    problem: async () => {
      try {
        await pool.query('SELECT 1 FROM account.migrations LIMIT 1');
        return undefined;
      } catch {
        return 'PostgreSQL does not answer, or has no tables of the account service yet.';
      }
    },
  };
}

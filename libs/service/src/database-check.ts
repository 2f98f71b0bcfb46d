import type { Pool } from '@tokone/persistence';
import type { HealthCheck } from './health.js';

/** Whether the tables of a service answer, in the schema of its name. The message of a failure may name server and user, so it is not shown. */
export function databaseCheck(pool: Pick<Pool, 'query'>, schema: 'account' | 'billing'): HealthCheck {
  return {
    name: 'database',
    problem: async () => {
      try {
        await pool.query(`SELECT 1 FROM ${schema}.migrations LIMIT 1`);
        return undefined;
      } catch {
        return `PostgreSQL does not answer, or has no tables of the ${schema} service yet.`;
      }
    },
  };
}

import type { PoolClient } from '@tokone/persistence';

export interface AuditLine {
  /** Who: `operator`, `quick start`. */
  actor: string;
  /** `account.created`, `key.disabled` … */
  action: string;
  /** Id of what was changed. */
  subject: string;
  /** Summaries without secrets. Money as decimal strings of nano-USD. */
  before?: Record<string, unknown>;
  after?: Record<string, unknown>;
}

/** Written in the transaction of the change itself: neither is there without the other. */
export async function writeAudit(client: PoolClient, line: AuditLine): Promise<void> {
  await client.query('INSERT INTO account.audit_log (actor, action, subject, before, after) VALUES ($1, $2, $3, $4, $5)', [
    line.actor,
    line.action,
    line.subject,
    line.before ? JSON.stringify(line.before) : null,
    line.after ? JSON.stringify(line.after) : null,
  ]);
}

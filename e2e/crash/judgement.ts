import { openPool } from '@tokone/persistence';
import { findMoneyFaults } from '@tokone/testing';
import type { TruthRecord } from '@tokone/testing';
import { findCallFaults } from './call-accounts.js';
import type { ClientCall } from './client-call.js';
import type { SpoolEvidence } from './spool-evidence.js';
import { readUsageRows, readWallet } from './usage-rows.js';

export interface Judgement {
  databaseUrl: string;
  /** The tenants of the calls. */
  accountIds: readonly string[];
  calls: readonly ClientCall[];
  truth: readonly TruthRecord[];
  /** What the spool held whenever the gateway was killed. */
  evidence: SpoolEvidence;
  /** Requests of which the test took a later record away. */
  cut?: ReadonlySet<string>;
  /** Tags of requests of which nobody read all that the provider sent. */
  unread?: ReadonlySet<string>;
}

/** Everything that is wrong with the money of all calls, once nothing runs, as sentences. */
export async function findFaults({ databaseUrl, accountIds, calls, truth, evidence, cut = new Set(), unread }: Judgement): Promise<string[]> {
  const pool = openPool({ url: databaseUrl, poolSize: 2, statementTimeoutMs: 30_000, applicationName: 'crash evidence' });
  try {
    const faults = findCallFaults({ calls, rows: await readUsageRows(pool), truth, cut, ...evidence });
    for (const accountId of accountIds) {
      const { balance, toppedUp, charged } = await readWallet(pool, accountId);
      if (balance !== toppedUp - charged) faults.push(`the balance of ${accountId} is ${balance}: ${toppedUp} was topped up and ${charged} charged`);
    }
    return [...faults, ...(await findMoneyFaults({ databaseUrl, truth, ...(unread && { unread }) }))];
  } finally {
    await pool.end();
  }
}

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { openPool } from '@tokone/persistence';
import type { Pool } from '@tokone/persistence';
import { testedShape, waitFor } from '@tokone/testing';
import { Deployment } from '../../fixtures/deployment.js';
import type { Group } from '../../fixtures/deployment.js';
import { tokone } from '../../fixtures/npm-program.js';

interface Report {
  state: string;
  full: boolean;
  checks: { name: string; state: string; mismatches: number; subjects: { subject: string; detail: string }[]; reason?: string }[];
}

const CLIENTS = 12;
const CALLS: Record<Group, [string, (prompt: string, streamed: boolean) => object]> = {
  openai: ['/v1/chat/completions', (content, stream) => ({ model: 'gpt-5.5', max_tokens: 64, stream, messages: [{ role: 'user', content }] })],
  anthropic: ['/v1/messages', (content, stream) => ({ model: 'claude-sonnet-4-6', max_tokens: 64, stream, messages: [{ role: 'user', content }] })],
  gemini: ['/v1beta/models/gemini-2.5-flash:generateContent', (text) => ({ contents: [{ role: 'user', parts: [{ text }] }] })],
};

let deployment: Deployment;
let pool: Pool;
beforeAll(async () => {
  deployment = await Deployment.start();
  pool = openPool({ url: deployment.product.addresses.databaseUrl, poolSize: 2, statementTimeoutMs: 30_000, applicationName: 'planted defects' });
});
afterAll(async () => {
  await pool.end();
  expect(await deployment.close()).toBe(0);
});

async function reconcile(...flags: string[]): Promise<{ code: number | null; report: Report }> {
  const { code, out, err } = await tokone(deployment.product.dataFolder, 'reconcile', '--json', ...flags);
  if (out === '') throw new Error(`no report: ${err}`);
  return { code, report: JSON.parse(out) as Report };
}

const RIGHT = { R1: 'right', R2: 'right', R3: 'right', R4: 'right', R5: 'right', R6: testedShape() === 'services' ? 'right' : 'not_applicable' };
const statesOf = ({ checks }: Report): Record<string, string> => Object.fromEntries(checks.map(({ name, state }) => [name, state]));
const troublesOf = ({ checks }: Report): unknown[] => checks.filter(({ mismatches, reason }) => mismatches > 0 || reason !== undefined);

/** Answers, streams, refusals, and clients that leave. Returns the end of it, with how many were answered. */
function load(): { stop(): Promise<number> } {
  let [running, answered] = [true, 0];
  const groups = Object.keys(CALLS) as Group[];
  const client = async (number: number): Promise<void> => {
    for (let call = number; running; call++) {
      const group = groups[call % groups.length] as Group;
      const [path, bodyOf] = CALLS[group];
      const body = bodyOf(`Reply with a sentence ${call}`, call % 2 === 0);
      if (call % 11 === 0) await deployment.call(group, path.replace('gemini-2.5', 'unknown'), { body: { ...body, model: 'unknown-model' } });
      else if (call % 7 === 0) await leave(group, path, body);
      else if ((await deployment.call(group, path, { body })).status === 200) answered++;
    }
  };
  const clients = Promise.all(Array.from({ length: CLIENTS }, (_, number) => client(number)));
  return {
    async stop() {
      running = false;
      await clients;
      return answered;
    },
  };
}

async function leave(group: Group, path: string, body: object): Promise<void> {
  const gone = AbortSignal.timeout(5);
  const headers = { 'content-type': 'application/json', 'authorization': `Bearer ${deployment.keys[group]}` };
  await fetch(deployment.baseUrl + path, { method: 'POST', headers, body: JSON.stringify(body), signal: gone }).then((answer) => answer.text()).catch(() => undefined);
}

/** SQL of the owner, with the triggers that keep facts as they are switched off. */
async function plant(sql: string): Promise<string> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN; SET LOCAL session_replication_role = replica');
    const { rows } = await client.query<{ subject: string }>(sql);
    await client.query('COMMIT');
    return String(rows[0]?.subject);
  } finally {
    client.release();
  }
}

describe('reconciliation', () => {
  it('finds nothing while requests come, end, are refused and are left, nor when they are over', async () => {
    const running = load();
    try {
      for (const flags of [[], ['--full'], []]) {
        const { code, report } = await reconcile(...flags);
        expect(troublesOf(report)).toEqual([]);
        expect({ code, states: statesOf(report) }).toEqual({ code: 0, states: RIGHT });
      }
    } finally {
      expect(await running.stop()).toBeGreaterThan(50);
    }
    const { code, report } = await reconcile('--full');
    expect({ code, state: report.state, full: report.full, troubles: troublesOf(report) }).toEqual({ code: 0, state: 'right', full: true, troubles: [] });
    expect(await deployment.moneyFaults()).toEqual([]);
  });

  const anEntry = `(SELECT e.transfer_id, e.leg FROM account.entries e JOIN account.transfers t ON t.id = e.transfer_id WHERE t.kind = 'charge' AND e.leg = 3 ORDER BY 1 LIMIT 1)`;
  const aWallet = `(SELECT id FROM account.ledger_accounts WHERE kind = 'wallet' AND seq > 2 ORDER BY seq DESC LIMIT 1)`;
  const defects: [string, string, { plant: string; mend: string; named?: RegExp }][] = [
    ['R1', 'a leg that is too high', { plant: `UPDATE account.entries SET amount = amount + 7 WHERE (transfer_id, leg) = ${anEntry} RETURNING transfer_id AS subject`, mend: `UPDATE account.entries SET amount = amount - 7 WHERE (transfer_id, leg) = ${anEntry}` }],
    ['R2', 'a balance that its entries do not lead to', { plant: `UPDATE account.ledger_accounts SET balance = balance + 5 WHERE id = ${aWallet} RETURNING 'ledger account ' || id || ' (wallet)' AS subject`, mend: `UPDATE account.ledger_accounts SET balance = balance - 5 WHERE id = ${aWallet}` }],
    ['R3', 'a charge that was posted with another grant', { plant: `UPDATE account.transfers SET granted = granted + 1 WHERE id = (SELECT transfer_id FROM ${anEntry} e) RETURNING id AS subject`, mend: `UPDATE account.transfers SET granted = granted - 1 WHERE id = (SELECT transfer_id FROM ${anEntry} e)` }],
    ['R4', 'a wallet that is not what admission was told', { plant: `UPDATE account.ledger_accounts SET balance = balance + 5 WHERE id = ${aWallet} RETURNING 'account ' || account_id AS subject`, mend: `UPDATE account.ledger_accounts SET balance = balance - 5 WHERE id = ${aWallet}` }],
    [
      'R5',
      'a request that billing has lost',
      {
        plant: `WITH gone AS (DELETE FROM billing.usage WHERE id = (SELECT id FROM billing.usage WHERE admitted ORDER BY id DESC LIMIT 1) RETURNING *), kept AS (INSERT INTO public.gone SELECT * FROM gone) SELECT id AS subject FROM gone`,
        mend: 'INSERT INTO billing.usage SELECT * FROM public.gone',
        named: /that billing has not: /,
      },
    ],
    ...(testedShape() === 'services'
      ? ([['R6', 'a record that was passed over', { plant: `UPDATE billing.log_cursor SET records = records - 1 WHERE log_partition = (SELECT log_partition FROM billing.log_cursor WHERE records > 0 ORDER BY 1 LIMIT 1) RETURNING log_partition AS subject`, mend: `UPDATE billing.log_cursor SET records = records + 1 WHERE log_partition = (SELECT log_partition FROM billing.log_cursor WHERE records > 0 ORDER BY 1 LIMIT 1)` }]] as [string, string, { plant: string; mend: string }][])
      : []),
  ];

  it.each(defects)('%s finds %s, and names it', async (name, _what, { plant: defect, mend, named }) => {
    if (name === 'R5') await pool.query('CREATE TABLE public.gone (LIKE billing.usage INCLUDING DEFAULTS)');
    const subject = await plant(defect);
    try {
      const { code, report } = await reconcile('--full');
      const check = report.checks.find((each) => each.name === name);
      expect({ code, state: check?.state }).toEqual({ code: 1, state: 'wrong' });
      const found = check?.subjects.map((each) => `${each.subject}: ${each.detail}`).join('\n');
      expect(found).toContain(subject);
      if (named) expect(found).toMatch(named);
    } finally {
      await plant(mend);
    }
    await waitFor(async () => (await reconcile('--full')).code === 0, { what: 'everything to be right again', deadlineMs: 60_000 });
  });
});

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { readCharges } from '@tokone/events';
import type { Pool } from '@tokone/persistence';
import { waitFor } from '@tokone/testing';
import { MIXED, QUICK } from '../fixtures/load.js';
import type { Load } from '../fixtures/load.js';
import { SeededRandom } from '../fixtures/seeded-random.js';
import { HeldRows } from '../fixtures/held-rows.js';
import { PipelineEnds } from '../fixtures/pipeline-ends.js';
import { freezeProcess } from '../fixtures/process-state.js';
import { CLEAN, FEWER_PROCESSES, ServicesDeployment } from '../fixtures/services-deployment.js';

const CLIENTS = 16;
const BILLING = ['billing-1', 'billing-2'];
const ACCOUNT = ['account-1', 'account-2'];
const CURSORS = 'SELECT 1 FROM billing.log_cursor FOR UPDATE';
const WALLETS = "SELECT 1 FROM account.ledger_accounts WHERE kind = 'wallet' FOR UPDATE";
const MOST_LOOKS = 60;
const DEADLINE_MS = 60_000;

const random = SeededRandom.ofRun();
let deployment: ServicesDeployment;
let ends: PipelineEnds;
beforeAll(async () => {
  deployment = await ServicesDeployment.create({ random, env: FEWER_PROCESSES });
  ends = new PipelineEnds(deployment.services.kafka);
}, 400_000);
afterEach(() => deployment?.endLoads());
afterAll(async () => {
  process.stderr.write(`kill -9 around commits, seed ${random.seed}: ${JSON.stringify({ requests: deployment?.calls.length })}\n`);
  await deployment?.dispose();
}, 240_000);

/** No client may notice any of this: usage is rated and posted behind its back. */
const NO_EXCUSE = [] as const;

async function startLoad(): Promise<Load> {
  const load = deployment.startLoad({ clients: CLIENTS, shapes: [...MIXED, ...QUICK] });
  await deployment.ended(load, random.integer(60, 120));
  return load;
}

async function killAll(names: readonly string[]): Promise<void> {
  const before = await Promise.all(names.map((name) => deployment.services.signal(name, 'SIGKILL')));
  await Promise.all(names.map((name, index) => deployment.services.restarted(name, before[index] ?? 0)));
}

/** Holds rows that a transaction needs, kills whoever waits for them, and only then lets them go. */
async function killBeforeCommit(rows: string, application: string, names: readonly string[]): Promise<void> {
  await deployment.query(async (pool) => {
    const held = await HeldRows.hold(pool, rows);
    try {
      await held.awaited(application, DEADLINE_MS);
      await Promise.all(names.map((name) => deployment.services.signal(name, 'SIGKILL')));
    } finally {
      await held.release();
    }
  });
}

/** Lets the processes stand still, again and again, until they have stored what they have not told Kafka; then kills them. */
async function killAfterCommit(names: readonly string[], storedBeyondOffsets: () => Promise<boolean>): Promise<void> {
  for (let look = 0; look < MOST_LOOKS; look++) {
    const processIds = await Promise.all(names.map(async (name) => (await deployment.services.service(name)).processId));
    await Promise.all(processIds.map(freezeProcess));
    if (await storedBeyondOffsets()) return killAll(names);
    for (const processId of processIds) process.kill(processId, 'SIGCONT');
    await deployment.query((pool) => nextCommit(pool));
  }
  throw new Error(`no commit was ahead of its offset in ${MOST_LOOKS} looks`);
}

/** Resolves as soon as something more is rated or posted. */
async function nextCommit(pool: Pool): Promise<void> {
  const count = async () => (await pool.query<{ rows: bigint }>('SELECT (SELECT count(*) FROM billing.usage) + (SELECT count(*) FROM account.transfers) AS rows')).rows[0]?.rows ?? 0n;
  const before = await count();
  await waitFor(async () => (await count()) > before, { what: 'a commit', deadlineMs: DEADLINE_MS, intervalMs: random.integer(0, 5) });
}

async function usageIsAheadOfOffsets(): Promise<boolean> {
  const committed = await ends.committed('billing', 'usage.recorded');
  const { rows } = await deployment.query((pool) => pool.query<{ log_partition: string; next_offset: bigint }>('SELECT log_partition, next_offset FROM billing.log_cursor'));
  return rows.some(({ log_partition: name, next_offset: next }) => next > (committed.get(Number(name.split('/').at(-1))) ?? 0n));
}

async function postingsAreAheadOfOffsets(): Promise<boolean> {
  const committed = await ends.committed('account', 'charge.rated');
  const beyond = (await ends.messages('charge.rated')).filter(({ partition, offset }) => offset >= (committed.get(partition) ?? 0n));
  const ids = beyond.flatMap(({ text }) => readCharges(text).map(({ id }) => id));
  return deployment.query(async (pool) => ((await pool.query('SELECT 1 FROM account.transfers WHERE id = ANY($1::uuid[])', [ids])).rowCount ?? 0) > 0);
}

describe('kill -9 of both replicas under load', () => {
  it('K11: of billing before its commit rates what is delivered again, once', async () => {
    const load = await startLoad();
    await killBeforeCommit(CURSORS, 'tokone billing', BILLING);
    await deployment.served(load, CLIENTS);
    expect(await deployment.verdict(load, NO_EXCUSE)).toEqual(CLEAN);
  }, 180_000);

  it('K12: of billing after its commit and before its offsets rates nothing again', async () => {
    const load = await startLoad();
    await killAfterCommit(BILLING, usageIsAheadOfOffsets);
    await deployment.served(load, CLIENTS);
    expect(await deployment.verdict(load, NO_EXCUSE)).toEqual(CLEAN);
  }, 180_000);

  it('K11: of account before its commit posts what is delivered again, once', async () => {
    const load = await startLoad();
    await killBeforeCommit(WALLETS, 'tokone ledger', ACCOUNT);
    await deployment.served(load, CLIENTS);
    expect(await deployment.verdict(load, NO_EXCUSE)).toEqual(CLEAN);
  }, 180_000);

  it('K12, K13: of account after its commit, before its offsets and its pushes, posts nothing again and leaves no hold', async () => {
    const load = await startLoad();
    await killAfterCommit(ACCOUNT, postingsAreAheadOfOffsets);
    await deployment.served(load, CLIENTS);
    expect(await deployment.verdict(load, NO_EXCUSE)).toEqual(CLEAN);
  }, 180_000);
});

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { RatedCharge } from '@tokone/events';
import { isTransient, openPool } from '@tokone/persistence';
import type { Pool } from '@tokone/persistence';
import { Billing } from './billing.js';
import { startBillingDatabase, until } from './fixtures/billing-database.js';
import type { BillingDatabase } from './fixtures/billing-database.js';
import { rollupFaults } from './fixtures/rollup-check.js';
import { NOW_MS, RecordedLog, TEST_SEED, batchOf, usageEvent } from './fixtures/usage-events.js';
import { ensurePriceBook } from './seed-price-book.js';

let database: BillingDatabase;

beforeAll(async () => {
  database = await startBillingDatabase();
});
afterAll(async () => {
  await database.close();
});
beforeEach(async () => {
  await database.clear();
  await ensurePriceBook(database.pool, TEST_SEED, NOW_MS);
});

function openedBilling(log: RecordedLog): Billing {
  const pools = [4, 2].map((poolSize) => openPool({ url: database.url, poolSize, statementTimeoutMs: 10_000, applicationName: 'victim' })) as [Pool, Pool];
  return new Billing({ databaseUrl: database.url, log, now: () => NOW_MS }, ...pools);
}

const LOOK_PAUSE_MS = 5;
const DEADLINE_MS = 60_000;

/** Ends the server's processes of billing's connections that work, once after each step that has got through. */
function startKilling(steps: () => number): { stop(): Promise<number> } {
  let [killed, killedAt, stopped] = [0, -1, false];
  const run = async (): Promise<void> => {
    while (!stopped) {
      const step = steps();
      const victims = step === killedAt ? 0 : ((await database.pool.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim' AND state <> 'idle'`)).rowCount ?? 0);
      if (victims > 0) killedAt = step;
      killed += victims;
      await new Promise((resolve) => setTimeout(resolve, LOOK_PAUSE_MS));
    }
  };
  const running = run();
  return {
    stop: async () => {
      stopped = true;
      await running;
      return killed;
    },
  };
}

/** What a log does with a handler that fails. */
async function repeat(work: () => Promise<unknown>, failures: unknown[]): Promise<void> {
  const deadline = AbortSignal.timeout(DEADLINE_MS);
  while (!deadline.aborted) {
    try {
      await work();
      return;
    } catch (error) {
      failures.push(error);
    }
  }
  throw new Error(`not done within ${DEADLINE_MS} ms, after ${failures.length} failures, the last of them: ${String(failures.at(-1))}`);
}

describe('billing whose connections die again and again', () => {
  it('only ever fails in a way that is worth repeating, and rates and publishes everything once it is repeated', async () => {
    const log = new RecordedLog();
    const billing = openedBilling(log);
    const charges: RatedCharge[] = [];
    billing.startPublishing({ charges: { publish: async (batches) => void charges.push(...batches.flat()) }, dead: { publish: async () => undefined } });
    let handled = 0;
    const killing = startKilling(() => handled);
    const failures: unknown[] = [];
    const events = Array.from({ length: 1_000 }, (_, index) => usageEvent(index % 50 === 7 ? { priceId: '9/gone' } : {}));
    for (let first = 0; first < events.length; first += 50) {
      const batch = batchOf(events.slice(first, first + 50), { first: BigInt(first) });
      await repeat(() => billing.usageConsumer.handle(batch), failures);
      await repeat(() => billing.usageConsumer.cursor('spool'), failures);
      handled += 1;
    }
    await billing.startParkedRating();
    expect(await killing.stop()).toBeGreaterThan(5);
    expect(failures.length).toBeGreaterThan(0);
    expect(failures.filter((failure) => !isTransient(failure)).map(String)).toEqual([]);
    await until(async () => (await database.pool.query('SELECT 1 FROM billing.outbox')).rowCount === 0, DEADLINE_MS);
    const { rows } = await database.pool.query<{ id: string }>('SELECT id FROM billing.usage ORDER BY id');
    expect([rows.length, (await database.pool.query('SELECT 1 FROM billing.parked')).rowCount, await billing.usageConsumer.cursor('spool')]).toEqual([980, 20, 1_000n]);
    expect([...new Set(charges.map(({ id }) => id))].sort()).toEqual(rows.map(({ id }) => id));
    expect(await rollupFaults(database.pool)).toEqual([]);
    await billing.stop();
  });
});

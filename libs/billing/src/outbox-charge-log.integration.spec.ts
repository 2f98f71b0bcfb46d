import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { RatedCharge } from '@tokone/events';
import { CatchUpError } from '@tokone/messaging';
import type { Consumption } from '@tokone/messaging';
import { chargeLogContract } from '@tokone/messaging/charge-contract';
import { startBillingDatabase, until } from './fixtures/billing-database.js';
import type { BillingDatabase } from './fixtures/billing-database.js';
import { ACCOUNT_ID, RecordedLog, ids } from './fixtures/usage-events.js';
import { OutboxChargeLog } from './outbox-charge-log.js';
import type { ChargeHandler } from './outbox-charge-log.js';
import { OutboxSignal } from './outbox-signal.js';

let database: BillingDatabase;
let signal: OutboxSignal;
let log: RecordedLog;
let consumptions: Consumption[];

beforeAll(async () => {
  database = await startBillingDatabase();
});
afterAll(async () => {
  await database.close();
});
beforeEach(async () => {
  await database.clear();
  signal = new OutboxSignal();
  log = new RecordedLog();
  consumptions = [];
});
afterEach(async () => {
  await Promise.all(consumptions.map((consumption) => consumption.stop()));
});

async function consume(handle: ChargeHandler, change: { pool?: BillingDatabase['pool']; pollMs?: number } = {}): Promise<Consumption> {
  const consumption = await new OutboxChargeLog({ pool: database.pool, signal, log, pollMs: 20, ...change }).consume(handle);
  consumptions.push(consumption);
  return consumption;
}

/** Writes rows of one charge each; returns the charge ids. */
async function publish(count: number): Promise<string[]> {
  const charges = Array.from({ length: count }, () => ({ id: ids.next(), accountId: ACCOUNT_ID, ratedNanoUsd: '7', chargeNanoUsd: '5' }));
  await database.pool.query('INSERT INTO billing.outbox (charges) SELECT json_build_array(c) FROM json_array_elements($1::json) c', [
    JSON.stringify(charges),
  ]);
  return charges.map(({ id }) => id);
}

async function left(): Promise<number> {
  const { rows } = await database.pool.query<{ count: number }>('SELECT count(*)::int AS count FROM billing.outbox');
  return rows[0]?.count ?? -1;
}

/** A handler that keeps what it got, after `before` had its say. */
function keeper(before: (charges: readonly RatedCharge[]) => Promise<void> | void = () => undefined): { posted: RatedCharge[]; handle: ChargeHandler } {
  const posted: RatedCharge[] = [];
  return {
    posted,
    handle: async (charges) => {
      await before(charges);
      posted.push(...charges);
    },
  };
}

const idsOf = (charges: readonly RatedCharge[]): string[] => charges.map(({ id }) => id).sort();

/** Holds a handler until it is opened. */
function gate(): { passed: Promise<void>; open(): void; reached: boolean; wait(): Promise<void> } {
  let open = (): void => undefined;
  const passed = new Promise<void>((resolve) => (open = resolve));
  return {
    passed,
    open,
    reached: false,
    async wait() {
      this.reached = true;
      await passed;
    },
  };
}

chargeLogContract("billing's outbox", async () => {
  const onPool = (pool: BillingDatabase['pool']): OutboxChargeLog => new OutboxChargeLog({ pool, signal, log, pollMs: 20 });
  return {
    log: onPool(database.pool),
    publish: async (charges) => {
      const stored = charges.map((charge) => ({ ...charge, ratedNanoUsd: `${charge.ratedNanoUsd}`, chargeNanoUsd: `${charge.chargeNanoUsd}` }));
      await database.pool.query('INSERT INTO billing.outbox (charges) VALUES ($1)', [JSON.stringify(stored)]);
    },
    another: () => onPool(database.anotherPool()),
    close: async () => undefined,
  };
});

describe('the outbox', () => {
  it('hands charges over as the port has them and forgets them when they are posted', async () => {
    const [id] = await publish(1);
    const { posted, handle } = keeper();
    await (await consume(handle)).caughtUp(5_000);
    expect(posted).toEqual([{ id, accountId: ACCOUNT_ID, ratedNanoUsd: 7n, chargeNanoUsd: 5n }]);
    expect(await left()).toBe(0);
  });

  it('is shared by consumers at once: every charge is handed to one of them', async () => {
    const published = await publish(200);
    const [one, other] = [keeper(), keeper()];
    const first = await consume(one.handle);
    await consume(other.handle, { pool: database.anotherPool() });
    await first.caughtUp(10_000);
    expect(idsOf([...one.posted, ...other.posted])).toEqual(published.sort());
  });

  it('is read by a second consumer while the first one still works', async () => {
    await publish(8);
    const door = gate();
    const [slow, fast] = [keeper(() => door.wait()), keeper()];
    await consume(slow.handle);
    await until(() => door.reached);
    await consume(fast.handle, { pool: database.anotherPool() });
    await until(() => fast.posted.length === 4);
    door.open();
    await until(async () => (await left()) === 0);
    expect(idsOf(fast.posted)).not.toEqual(idsOf(slow.posted));
  });

  it('hands a row over again when the handler throws, until it resolves', async () => {
    const published = await publish(1);
    let failures = 3;
    const { posted, handle } = keeper(() => {
      if (failures-- > 0) throw new Error('ledger away');
    });
    await (await consume(handle)).caughtUp(10_000);
    expect(idsOf(posted)).toEqual(published);
    expect(log.lines.filter(({ level }) => level === 'warn')).toHaveLength(3);
  });

  it('lets no row that cannot be posted keep the others waiting', async () => {
    const published = await publish(12);
    const poison = published[1];
    const { posted, handle } = keeper((charges) => {
      if (charges.some(({ id }) => id === poison)) throw new Error('unknown account');
    });
    await consume(handle);
    await until(() => posted.length === 11);
    expect(idsOf(posted)).toEqual(published.filter((id) => id !== poison).sort());
    expect(await left()).toBe(1);
  });

  it('posts a row again when the connection dies after the handler and before the deletion', async () => {
    const published = await publish(1);
    let times = 0;
    const { posted, handle } = keeper(async () => {
      if (times++ === 0)
        await database.pool.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'`);
    });
    await (await consume(handle)).caughtUp(10_000);
    expect(posted.map(({ id }) => id)).toEqual([...published, ...published]);
  });

  it('wakes at once when the consumer of this process has written', async () => {
    const { posted, handle } = keeper();
    await consume(handle, { pollMs: 600_000 });
    await publish(1);
    signal.notify();
    await until(() => posted.length === 1);
    await publish(1);
    signal.notify();
    await until(() => posted.length === 2);
  });

  it('finds by itself what another process has written', async () => {
    const { posted, handle } = keeper();
    await consume(handle, { pollMs: 50 });
    await publish(1);
    await until(() => posted.length === 1);
  });

  it('is not caught up while anybody still works on a row, and says so at the deadline', async () => {
    await publish(1);
    const door = gate();
    const consumption = await consume(() => door.wait());
    await until(() => door.reached);
    await expect(consumption.caughtUp(100)).rejects.toBeInstanceOf(CatchUpError);
    door.open();
    await consumption.caughtUp(5_000);
  });

  it('stops after the running batch, and takes no other', async () => {
    await publish(8);
    const door = gate();
    const { posted, handle } = keeper(() => door.wait());
    const consumption = await consume(handle);
    await until(() => door.reached);
    const stopped = consumption.stop();
    door.open();
    await stopped;
    expect([posted.length, await left()]).toEqual([4, 4]);
  });
});

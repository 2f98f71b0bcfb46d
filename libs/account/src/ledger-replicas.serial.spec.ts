import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { GatewayClients, GatewayHolds, RedisAccounts, RedisAdmission, gatewayHoldsInternal, readStoredAccount } from '@tokone/admission';
import type { AccountOpener, ReserveResult, StoredAccount } from '@tokone/admission';
import type { RatedCharge } from '@tokone/events';
import type { ChargeLog } from '@tokone/messaging';
import { openPool } from '@tokone/persistence';
import { RedisStore } from '@tokone/redis';
import { OpenedParts, ServiceListeners, internalModule } from '@tokone/service';
import { silentLogger } from '@tokone/telemetry';
import { testServers, waitFor } from '@tokone/testing';
import { AccountFeature } from './account-feature.js';
import { AccountOpenings } from './admission/account-openings.js';
import { CappedBalances } from './admission/capped-balances.js';
import { FirstOpenings } from './admission/first-openings.js';
import { LeaseSweeper } from './admission/lease-sweeper.js';
import { RedisPosts } from './admission/redis-posts.js';
import { RedisView } from './admission/redis-view.js';
import { startLedgerDatabase } from './fixtures/ledger-database.js';
import type { LedgerDatabase } from './fixtures/ledger-database.js';
import { ledgerFaults } from './fixtures/ledger-faults.js';
import { PostgresGatewayRegistry } from './gateway-registry.js';
import type { FenceAnswer } from './ledger-fence.js';
import { LedgerService } from './ledger-service.js';
import { ChargePosting } from './posting.js';

const SECRET = 'secret-between-the-services-of-a-spec';
const now = (): number => performance.now();

/** What is on its way between gateways and ledger: nothing, or something that a spec holds back. */
class SpecFence {
  closed = false;
  passages = 0;

  async pass(deadlineMs: number): Promise<FenceAnswer> {
    this.passages++;
    const endMs = now() + Math.min(deadlineMs, 200);
    while (this.closed && now() < endMs) await pause(5);
    return this.closed ? { passed: false, waitingFor: 'the spec' } : { passed: true };
  }
}

/** One account service as its main puts it together, over the same database and the same Redis as the others. */
class Replica {
  deliver: (charges: readonly RatedCharge[]) => Promise<void> = async () => undefined;
  readonly ledger: LedgerService;
  readonly openings: AccountOpenings;
  readonly troubles: unknown[] = [];

  constructor(database: LedgerDatabase, accounts: RedisAccounts, { parts, fence }: { parts: OpenedParts; fence: SpecFence }) {
    const pool = parts.add('pool', openPool({ url: database.adminUrl, poolSize: 4, statementTimeoutMs: 10_000 }), (opened) => opened.end());
    const charges: ChargeLog = {
      consume: async (handle) => {
        this.deliver = handle;
        return { caughtUp: async () => undefined, stop: async () => undefined };
      },
    };
    const feature = new AccountFeature({ ...database.feature.parts, pool });
    const { raiseAlarm } = database.feature.parts;
    const view = new RedisView({ accounts });
    const capped = new CappedBalances(() => undefined);
    this.ledger = new LedgerService({ feature, charges, admission: new RedisPosts({ accounts, capped }), view, sweepIntervalMs: 300 });
    parts.add('ledger', this.ledger, (opened) => opened.stop());
    const gateways = new PostgresGatewayRegistry(pool);
    const clients = parts.add('gateway clients', new GatewayClients({ secret: SECRET, now }), (opened) => opened.close());
    const onTrouble = (error: unknown): void => void this.troubles.push(error);
    this.openings = parts.add('openings', new AccountOpenings({ accounts, gateways, clients, fence, firstOpenings: new FirstOpenings(pool), balances: feature.balances, capped, raiseAlarm, now, pause, replica: randomUUID(), onTrouble }), (opened) => opened.stop());
    const leases = parts.add('leases', new LeaseSweeper({ view, accounts, gateways, clients, fence, postings: this.ledger.sweeper, raiseAlarm, intervalMs: 300 }), (opened) => opened.stop());
    leases.start();
  }
}

/** A gateway as the account service sees it: a row, and an internal listener in front of its admission. */
class GatewayFront {
  readonly gatewayId = randomUUID();
  readonly admission: RedisAdmission;
  shipped: () => Promise<void> = async () => undefined;
  private readonly registry: PostgresGatewayRegistry;
  private readonly holds: GatewayHolds;
  private parts = new OpenedParts(silentLogger, new AbortController().signal);
  private port = 0;

  constructor(database: LedgerDatabase, { accounts, store, opener }: { accounts: RedisAccounts; store: RedisStore; opener: AccountOpener }) {
    this.registry = new PostgresGatewayRegistry(database.pool);
    this.admission = new RedisAdmission({ accounts, store, opener, gatewayId: this.gatewayId, now, leaseMs: 600 });
    this.admission.start();
    this.holds = new GatewayHolds({ admission: this.admission, gatewayId: this.gatewayId, shipped: () => this.shipped() });
    this.holds.begin();
  }

  async open(): Promise<void> {
    this.parts = new OpenedParts(silentLogger, new AbortController().signal);
    const module = internalModule({ secret: SECRET, logger: silentLogger, ...gatewayHoldsInternal(this.holds) });
    const opened = await new ServiceListeners(this.parts).open({ name: 'internal listener', address: { host: '127.0.0.1', port: this.port }, modules: [module] });
    this.port = opened.port;
    await this.beat();
  }

  beat(port = this.port): Promise<void> {
    return this.registry.join({ gatewayId: this.gatewayId, instanceId: this.gatewayId, url: `http://127.0.0.1:${port}` });
  }

  /** As after a kill: it answers nobody, and renews nothing. */
  async close(): Promise<void> {
    await this.admission.stop();
    await this.parts.close();
  }

  reserve(accountId: string, nanoUsd: bigint, requestId: string): Promise<ReserveResult> {
    return this.admission.reserve({ accountId, requestId, amount: { inputNanoUsd: nanoUsd, worstNanoUsd: nanoUsd, firstStepNanoUsd: 0n, mode: 'limit_stated' } });
  }
}

let database: LedgerDatabase;
let store: RedisStore;
let parts: OpenedParts;
let accounts: RedisAccounts;
let fence: SpecFence;
let gateways: GatewayFront[];
let replicas: Replica[];

beforeAll(async () => {
  database = await startLedgerDatabase();
  store = new RedisStore({ url: await testServers().redis(), clientName: 'replicas-spec', logger: silentLogger, now, deadlineMs: 2_000 });
  await store.untilConnected(10_000);
});
afterAll(async () => {
  await store.close();
  await database.stop();
});
beforeEach(async () => {
  await database.pool.query('DELETE FROM account.gateways');
  database.alarms.length = 0;
  parts = new OpenedParts(silentLogger, new AbortController().signal);
  accounts = new RedisAccounts(store, `replicas:${randomUUID()}:`);
  fence = new SpecFence();
  let turn = 0;
  // Gateways ask the replicas in turn.
  const opener: AccountOpener = { open: (accountIds, waitMs) => replica(turn++ % 2).openings.open(accountIds, waitMs) };
  gateways = [new GatewayFront(database, { accounts, store, opener }), new GatewayFront(database, { accounts, store, opener })];
  for (const gateway of gateways) {
    await gateway.open();
    parts.add('gateway', gateway, (opened) => opened.close());
  }
  replicas = [new Replica(database, accounts, { parts, fence }), new Replica(database, accounts, { parts, fence })];
  for (const { ledger } of replicas) await ledger.start();
});
afterEach(() => parts.close());

function replica(index: number): Replica {
  const found = replicas[index];
  if (!found) throw new Error(`no replica ${index}`);
  return found;
}

function gateway(index: number): GatewayFront {
  const found = gateways[index];
  if (!found) throw new Error(`no gateway ${index}`);
  return found;
}

/** A request that was admitted and settled at what the charge says. */
async function settled(accountId: string, nanoUsd: bigint): Promise<RatedCharge> {
  const charge = database.charge(accountId, nanoUsd);
  expect(await gateway(0).reserve(accountId, nanoUsd, charge.id)).toMatchObject({ status: 'held' });
  await gateway(0).admission.settle(accountId, { requestId: charge.id, costNanoUsd: nanoUsd, heldNanoUsd: nanoUsd });
  return charge;
}

async function stored(accountId: string): Promise<StoredAccount | undefined> {
  return readStoredAccount(await accounts.fieldsOf(accountId));
}

const agreesWithLedger = async (accountId: string): Promise<boolean> => {
  const wallet = await database.wallet(accountId);
  const account = await stored(accountId);
  return account?.seq === wallet.seq && account.limitNanoUsd === wallet.balanceNanoUsd && account.heldNanoUsd === 0n && account.settledNanoUsd === 0n;
};

describe('two account services over one database and one Redis', () => {
  it('post overlapping batches once, and leave admission with the balances of the ledger', async () => {
    const ids = await Promise.all(Array.from({ length: 8 }, () => database.fundedAccount(100_000n)));
    const paid = new Map(ids.map((accountId) => [accountId, 0n]));
    for (let round = 0; round < 10; round += 1) {
      const charges: RatedCharge[] = [];
      for (let number = 0; number < 60; number += 1) {
        const accountId = ids[(number + round) % ids.length] ?? '';
        const nanoUsd = BigInt(1 + ((number * 7) % 30));
        charges.push(await settled(accountId, nanoUsd));
        paid.set(accountId, (paid.get(accountId) ?? 0n) + nanoUsd);
      }
      const [one, other] = replicas;
      await Promise.all([one?.deliver(charges.slice(0, 40)), other?.deliver(charges.slice(20)), one?.deliver(charges.slice(30, 50)), other?.deliver(charges)]);
    }
    for (const accountId of ids) {
      expect((await database.wallet(accountId)).balanceNanoUsd).toBe(100_000n - (paid.get(accountId) ?? 0n));
      await waitFor(() => agreesWithLedger(accountId), { what: 'admission to agree', deadlineMs: 10_000 });
    }
    expect(await ledgerFaults(database.pool)).toEqual([]);
    expect(database.alarms).toEqual([]);
  });

  it('repeat at the next sweeps what admission did not hear of, charges and top-ups', async () => {
    const accountId = await database.fundedAccount(1_000n);
    const charge = await settled(accountId, 10n);
    // As by a process that died between its commit and its push.
    await new ChargePosting(database.pool, database.feature.parts.raiseAlarm).post([charge]);
    await waitFor(() => agreesWithLedger(accountId), { what: 'the sweepers', deadlineMs: 15_000 });
    expect(await stored(accountId)).toMatchObject({ limitNanoUsd: 990n });
  });
});

/** One that was open before, and which Redis has lost. */
async function lostAccount(nanoUsd: bigint): Promise<string> {
  const accountId = await database.fundedAccount(nanoUsd);
  await new FirstOpenings(database.pool).take([accountId]);
  return accountId;
}

describe('the opening of an account that Redis does not know', () => {
  it('does not pass the fence when it is the first ever, and does from then on', async () => {
    const accountId = await database.fundedAccount(100n);
    fence.closed = true;
    await gateway(1).close();
    expect(await gateway(0).reserve(accountId, 10n, randomUUID())).toMatchObject({ status: 'held' });
    expect(fence.passages).toBe(0);
    fence.closed = false;
    await accounts.forget(accountId);
    expect(await gateway(0).reserve(accountId, 91n, randomUUID())).toMatchObject({ status: 'balance_held' });
    expect(fence.passages).toBe(1);
  });

  it('happens once for all who ask at the same moment, whichever replica they ask', async () => {
    const accountId = await database.fundedAccount(100n);
    const results = await Promise.all(Array.from({ length: 40 }, (_, index) => gateway(index % 2).reserve(accountId, 5n, randomUUID())));
    expect(results.filter(({ status }) => status === 'held')).toHaveLength(20);
    expect(await stored(accountId)).toMatchObject({ ready: true, heldNanoUsd: 100n });
  });

  it('counts what every gateway holds, and what they settled is not lost', async () => {
    const accountId = await database.fundedAccount(100n);
    await gateway(0).reserve(accountId, 30n, randomUUID());
    await gateway(1).reserve(accountId, 40n, randomUUID());
    await accounts.forget(accountId);
    expect(await gateway(0).reserve(accountId, 31n, randomUUID())).toMatchObject({ status: 'balance_held', availableNanoUsd: 30n });
    expect(await gateway(1).reserve(accountId, 30n, randomUUID())).toMatchObject({ status: 'held' });
  });

  it('waits for the fence, and for a gateway to ship what it has closed', async () => {
    const accountId = await lostAccount(100n);
    fence.closed = true;
    let shipped = (): void => undefined;
    gateway(1).shipped = () => new Promise((resolve, reject) => {
      shipped = resolve;
      setTimeout(() => reject(new Error('late')), 100);
    });
    const reserved = gateway(0).reserve(accountId, 10n, randomUUID());
    await pause(300);
    expect(fence.passages).toBe(0);
    gateway(1).shipped = async () => undefined;
    shipped();
    await waitFor(() => fence.passages > 0, { what: 'the fence to be asked', deadlineMs: 5_000 });
    expect((await stored(accountId))?.ready).toBe(false);
    fence.closed = false;
    expect(await reserved).toMatchObject({ status: 'held' });
  });

  it('waits three seconds for a gateway that is silent, then opens without it, with an alarm', async () => {
    const accountId = await lostAccount(100n);
    await gateway(1).close();
    const startedAtMs = now();
    const result = await gateway(0).reserve(accountId, 10n, randomUUID());
    expect(result).toMatchObject({ status: 'held' });
    expect(now() - startedAtMs).toBeGreaterThan(2_000);
    // From empty Redis to serving: at most five seconds.
    expect(now() - startedAtMs).toBeLessThan(5_000);
    expect(database.alarms).toContainEqual(expect.objectContaining({ kind: 'gateway_not_heard', gatewayId: gateway(1).gatewayId }));
  });

  it('goes on within 3.5 s without a gateway that takes connections and never answers', async () => {
    const accountId = await lostAccount(100n);
    const sockets: Socket[] = [];
    const frozen = createServer((socket) => void sockets.push(socket)).listen(0, '127.0.0.1');
    parts.add('frozen gateway', frozen, async (opened) => {
      for (const socket of sockets) socket.destroy();
      opened.close();
    });
    await waitFor(() => frozen.listening, { what: 'the frozen gateway', deadlineMs: 5_000 });
    await gateway(1).beat((frozen.address() as AddressInfo).port);
    const startedAtMs = now();
    expect(await gateway(0).reserve(accountId, 10n, randomUUID())).toMatchObject({ status: 'held' });
    expect(now() - startedAtMs).toBeLessThan(3_500);
    expect(now() - startedAtMs).toBeGreaterThan(2_900);
    expect(database.alarms).toContainEqual(expect.objectContaining({ kind: 'gateway_not_heard', gatewayId: gateway(1).gatewayId }));
  });

  it('reads the balance only behind the fence', async () => {
    const accountId = await lostAccount(100n);
    fence.closed = true;
    const reserved = gateway(0).reserve(accountId, 41n, randomUUID());
    await waitFor(() => fence.passages > 0, { what: 'the fence to be asked', deadlineMs: 5_000 });
    // On its way when the account was lost, and posted before the fence is passed.
    await new ChargePosting(database.pool, database.feature.parts.raiseAlarm).post([database.charge(accountId, 60n)]);
    fence.closed = false;
    expect(await reserved).toEqual({ status: 'insufficient_balance', availableNanoUsd: 40n, neededNanoUsd: 41n });
  });

  it('is no opening for an account that does not exist', async () => {
    expect(await gateway(0).reserve(randomUUID(), 1n, randomUUID())).toEqual({ status: 'unavailable' });
  });
});

describe('holds that a gateway left behind', () => {
  it('are given back when it is there again and knows nothing of them, with an alarm', async () => {
    const accountId = await database.fundedAccount(100n);
    const requestId = randomUUID();
    await gateway(0).reserve(accountId, 60n, requestId);
    // Killed between the answer and its OPEN record: the next run knows nothing.
    gateway(0).admission.holds.delete(accountId, requestId);
    await gateway(0).beat();
    await waitFor(async () => (await stored(accountId))?.heldNanoUsd === 0n, { what: 'the hold to be given back', deadlineMs: 10_000 });
    expect(database.alarms).toContainEqual({ kind: 'holds_left_behind', holds: 1, accountIds: [accountId] });
    expect(await gateway(1).reserve(accountId, 100n, randomUUID())).toMatchObject({ status: 'held' });
  });

  it('stay while its gateway is away, and while the fence is not passed', async () => {
    const accountId = await database.fundedAccount(100n);
    const [kept, unknown] = [randomUUID(), randomUUID()];
    await gateway(0).reserve(accountId, 30n, kept);
    await gateway(1).reserve(accountId, 40n, unknown);
    await gateway(0).close();
    await database.pool.query('DELETE FROM account.gateways WHERE gateway_id = $1', [gateway(0).gatewayId]);
    fence.closed = true;
    gateway(1).admission.holds.delete(accountId, unknown);
    const before = fence.passages;
    await waitFor(() => fence.passages > before + 1, { what: 'the sweeper to be at the fence', deadlineMs: 10_000 });
    expect(await stored(accountId)).toMatchObject({ heldNanoUsd: 70n });
    fence.closed = false;
    await waitFor(async () => (await stored(accountId))?.heldNanoUsd === 30n, { what: 'the unknown hold to be given back', deadlineMs: 10_000 });
  });

  it('are removed by their posting when they were posted', async () => {
    const accountId = await database.fundedAccount(100n);
    const charge = database.charge(accountId, 25n);
    await gateway(0).reserve(accountId, 60n, charge.id);
    gateway(0).admission.holds.delete(accountId, charge.id);
    await replica(0).deliver([charge]);
    await waitFor(() => agreesWithLedger(accountId), { what: 'admission to agree', deadlineMs: 10_000 });
    expect(await stored(accountId)).toMatchObject({ limitNanoUsd: 75n });
    expect(database.alarms.filter(({ kind }) => kind === 'holds_left_behind')).toEqual([]);
  });
});

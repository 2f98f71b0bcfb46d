import 'reflect-metadata';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { GatewayTargets, HttpAdmissionPosts, HttpAdmissionView, MemoryAdmission, admissionInternal } from '@tokone/admission';
import type { RatedCharge } from '@tokone/events';
import type { ChargeLog } from '@tokone/messaging';
import { openPool } from '@tokone/persistence';
import { OpenedParts, ServiceListeners, internalModule } from '@tokone/service';
import { silentLogger } from '@tokone/telemetry';
import { waitFor } from '@tokone/testing';
import { AccountFeature } from './account-feature.js';
import { startLedgerDatabase } from './fixtures/ledger-database.js';
import type { LedgerDatabase } from './fixtures/ledger-database.js';
import { ledgerFaults } from './fixtures/ledger-faults.js';
import { PostgresGatewayRegistry } from './gateway-registry.js';
import { LedgerService } from './ledger-service.js';

const SECRET = 'secret-between-the-services-of-a-spec';
const now = (): number => performance.now();

/** One account service as its main puts it together, over the same database as the others. */
class Replica {
  deliver: (charges: readonly RatedCharge[]) => Promise<void> = async () => undefined;
  readonly ledger: LedgerService;

  constructor(database: LedgerDatabase, parts: OpenedParts) {
    const pool = parts.add('pool', openPool({ url: database.adminUrl, poolSize: 4, statementTimeoutMs: 10_000 }), (opened) => opened.end());
    const gateways = new PostgresGatewayRegistry(pool);
    const targets = parts.add('targets', new GatewayTargets({ list: () => gateways.live(), secret: SECRET, now }), (opened) => opened.close());
    const charges: ChargeLog = {
      consume: async (handle) => {
        this.deliver = handle;
        return { caughtUp: async () => undefined, stop: async () => undefined };
      },
    };
    const feature = new AccountFeature({ ...database.feature.parts, pool });
    this.ledger = new LedgerService({ feature, charges, admission: new HttpAdmissionPosts({ targets, now }), view: new HttpAdmissionView(targets) });
    parts.add('ledger', this.ledger, (opened) => opened.stop());
  }
}

/** A gateway as the account service sees it: a row, and an internal listener in front of its admission. */
class GatewayFront {
  readonly admission: MemoryAdmission;
  private parts = new OpenedParts(silentLogger, new AbortController().signal);
  private port = 0;

  constructor(private readonly database: LedgerDatabase) {
    this.admission = new MemoryAdmission({ now, balances: database.feature.balances });
  }

  async open(): Promise<void> {
    this.parts = new OpenedParts(silentLogger, new AbortController().signal);
    const module = internalModule({ secret: SECRET, logger: silentLogger, ...admissionInternal({ admission: this.admission }) });
    const opened = await new ServiceListeners(this.parts).open({ name: 'internal listener', address: { host: '127.0.0.1', port: this.port }, modules: [module] });
    this.port = opened.port;
    await this.database.pool.query(
      `INSERT INTO account.gateways (gateway_id, instance_id, url, heartbeat_at) VALUES ($1, $1, $2, now() + interval '1 hour') ON CONFLICT DO NOTHING`,
      ['019ab1c2-0000-7000-8000-000000000001', opened.url],
    );
  }

  close(): Promise<void> {
    return this.parts.close();
  }
}

let database: LedgerDatabase;
let parts: OpenedParts;
let gateway: GatewayFront;
let replicas: Replica[];

beforeAll(async () => {
  database = await startLedgerDatabase();
});
afterAll(() => database.stop());
beforeEach(async () => {
  await database.pool.query('DELETE FROM account.gateways');
  database.alarms.length = 0;
  parts = new OpenedParts(silentLogger, new AbortController().signal);
  gateway = new GatewayFront(database);
  await gateway.open();
  parts.add('gateway', gateway, (opened) => opened.close());
  replicas = [new Replica(database, parts), new Replica(database, parts)];
  for (const { ledger } of replicas) await ledger.start();
});
afterEach(() => parts.close());

/** A request that was admitted and settled at what the charge says. */
async function settled(accountId: string, nanoUsd: bigint): Promise<RatedCharge> {
  const charge = database.charge(accountId, nanoUsd);
  const amount = { inputNanoUsd: nanoUsd, worstNanoUsd: nanoUsd, firstStepNanoUsd: 0n, mode: 'limit_stated' as const };
  expect(await gateway.admission.reserve({ accountId, requestId: charge.id, amount })).toMatchObject({ status: 'held' });
  await gateway.admission.settle(accountId, charge.id, nanoUsd);
  return charge;
}

async function known(accountId: string): Promise<bigint | undefined> {
  return gateway.admission.unposted(0).find((account) => account.accountId === accountId)?.seq;
}

describe('two account services over one database', () => {
  it('post overlapping batches once, and leave the gateway with the balances of the ledger', async () => {
    const accounts = await Promise.all(Array.from({ length: 8 }, () => database.fundedAccount(100_000n)));
    const paid = new Map(accounts.map((accountId) => [accountId, 0n]));
    for (let round = 0; round < 10; round += 1) {
      const charges: RatedCharge[] = [];
      for (let number = 0; number < 60; number += 1) {
        const accountId = accounts[(number + round) % accounts.length] ?? '';
        const nanoUsd = BigInt(1 + ((number * 7) % 30));
        charges.push(await settled(accountId, nanoUsd));
        paid.set(accountId, (paid.get(accountId) ?? 0n) + nanoUsd);
      }
      const [one, other] = replicas;
      await Promise.all([one?.deliver(charges.slice(0, 40)), other?.deliver(charges.slice(20)), one?.deliver(charges.slice(30, 50)), other?.deliver(charges)]);
    }
    for (const accountId of accounts) {
      const wallet = await database.wallet(accountId);
      expect(wallet.balanceNanoUsd).toBe(100_000n - (paid.get(accountId) ?? 0n));
      expect(await known(accountId)).toBe(wallet.seq);
    }
    expect(gateway.admission.outstanding()).toEqual({ held: 0, settled: 0, heldNanoUsd: 0n });
    expect(await ledgerFaults(database.pool)).toEqual([]);
    expect(database.alarms).toEqual([]);
  });

  it('repeat at the next sweeps what the gateway did not hear of, charges and top-ups', async () => {
    const accountId = await database.fundedAccount(1_000n);
    const charge = await settled(accountId, 10n);
    await gateway.close();
    await replicas[0]?.deliver([charge]);
    await replicas[1]?.ledger.topUps.topUp({ id: database.ids.next(), accountId, amountNanoUsd: 500n, actor: 'test' });
    expect(database.alarms.filter(({ kind }) => kind === 'push_failed')).toHaveLength(2);
    expect(gateway.admission.outstanding().settled).toBe(1);
    await gateway.open();
    const wallet = await database.wallet(accountId);
    expect(wallet.balanceNanoUsd).toBe(1_490n);
    await waitFor(async () => (await known(accountId)) === wallet.seq && gateway.admission.outstanding().settled === 0, { what: 'the sweepers', deadlineMs: 15_000 });
  });

  it('post on while the gateway is away, without waiting for it each time', async () => {
    const accountId = await database.fundedAccount(1_000n);
    await gateway.close();
    for (let count = 0; count < 20; count += 1) await replicas[count % 2]?.deliver([database.charge(accountId, 1n)]);
    expect((await database.wallet(accountId)).balanceNanoUsd).toBe(980n);
  });
});

import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { RedisAccounts, readStoredAccount } from '@tokone/admission';
import type { RedisScript } from '@tokone/redis';
import { RedisStore } from '@tokone/redis';
import { silentLogger } from '@tokone/telemetry';
import { makeTemporaryFolder, startRedisCluster, waitFor } from '@tokone/testing';
import type { RedisCluster, TemporaryFolder } from '@tokone/testing';
import { BalanceSweeper } from '../balance-sweeper.js';
import { startLedgerDatabase } from '../fixtures/ledger-database.js';
import type { LedgerDatabase } from '../fixtures/ledger-database.js';
import { PostgresGatewayRegistry } from '../gateway-registry.js';
import { ChargePosting } from '../posting.js';
import { AccountOpenings } from './account-openings.js';
import { CappedBalances } from './capped-balances.js';
import { FirstOpenings } from './first-openings.js';
import { RedisPosts } from './redis-posts.js';
import { RedisView } from './redis-view.js';

const ACCOUNTS = 12;
const PORT: RedisScript = { name: 'port', lua: `redis.call('EXISTS', KEYS[1]) return {string.match(redis.call('INFO', 'server'), 'tcp_port:(%d+)')}` };
const now = (): number => performance.now();

let folder: TemporaryFolder;
let cluster: RedisCluster;
let database: LedgerDatabase;
let store: RedisStore;
let accounts: RedisAccounts;
let accountIds: string[];
/** Of them, those on the node that dies, and the others. */
let lost: string[];
let well: string[];

beforeAll(async () => {
  folder = await makeTemporaryFolder('node-down');
  [cluster, database] = await Promise.all([startRedisCluster({ folder: folder.path }), startLedgerDatabase()]);
  store = new RedisStore({ url: cluster.url, clientName: 'node-down-spec', logger: silentLogger, now, deadlineMs: 1_000 });
  await store.untilConnected(10_000);
}, 120_000);
afterAll(async () => {
  await store.close();
  await Promise.all([cluster.discard(), database.stop()]);
  await folder.remove();
});

beforeEach(async () => {
  database.alarms.length = 0;
  const prefix = `node-down:${randomUUID()}:`;
  accounts = new RedisAccounts(store, prefix);
  accountIds = await Promise.all(Array.from({ length: ACCOUNTS }, () => database.fundedAccount(100n)));
  const port = String(cluster.nodes[0]?.port);
  [lost, well] = [[], []];
  for (const accountId of accountIds) ((await store.run(PORT, `${prefix}{${accountId}}`, []))[0] === port ? lost : well).push(accountId);
  expect(lost).not.toEqual([]);
});

async function revive(): Promise<void> {
  const [node] = cluster.nodes;
  if (node?.processId === undefined) await node?.start();
}

const isOpen = async (accountId: string): Promise<boolean> => readStoredAccount(await accounts.fieldsOf(accountId))?.ready === true;
const areOpen = async (ids: readonly string[]): Promise<boolean> => (await Promise.all(ids.map((accountId) => isOpen(accountId).catch(() => false)))).every(Boolean);

function newOpenings(troubles: unknown[]): AccountOpenings {
  const { pool, feature } = database;
  const none = { announce: () => Promise.reject(new Error('there is no gateway')) };
  return new AccountOpenings({ accounts, gateways: new PostgresGatewayRegistry(pool), clients: none, fence: { pass: async () => ({ passed: true }) }, firstOpenings: new FirstOpenings(pool), balances: feature.balances, capped: new CappedBalances(() => undefined), raiseAlarm: feature.parts.raiseAlarm, now, pause, replica: randomUUID(), onTrouble: (error) => void troubles.push(error) });
}

describe('a node of a Redis Cluster that is dead', () => {
  it.each([
    ['for the first time', false],
    ['again', true],
  ])('keeps only its own accounts from being opened %s, until it is back', async (_when, before) => {
    if (before) await new FirstOpenings(database.pool).take(accountIds);
    const troubles: unknown[] = [];
    const openings = newOpenings(troubles);
    await cluster.nodes[0]?.kill();
    try {
      const opened = await openings.open(accountIds, 1_000);
      expect([...opened.keys()].sort()).toEqual([...well].sort());
      expect(openings.waitingAccounts).toBe(lost.length);
      // One that comes while the others are tried again and again.
      await accounts.forget(well[0] ?? '');
      expect((await openings.open([well[0] ?? ''], 1_000)).size).toBe(1);
      expect(String(troubles[0])).toMatch(`${lost.length} accounts could not be opened`);
      await revive();
      await waitFor(() => areOpen(accountIds), { what: 'all accounts to be open', deadlineMs: 20_000 });
    } finally {
      await revive();
      await openings.stop();
    }
  }, 60_000);

  it('keeps only its own accounts from being compared with the ledger, until they are opened again', async () => {
    const openings = newOpenings([]);
    expect((await openings.open(accountIds, 10_000)).size).toBe(ACCOUNTS);
    await openings.stop();
    const { pool } = database;
    const troubles: unknown[] = [];
    const sweeper = new BalanceSweeper({ pool, view: new RedisView({ accounts, onTrouble: (failures) => troubles.push(...failures) }), admission: new RedisPosts({ accounts, capped: new CappedBalances(() => undefined) }), raiseAlarm: database.feature.parts.raiseAlarm });
    // As by a process that died between its commit and its push.
    await new ChargePosting(pool, database.feature.parts.raiseAlarm).post(accountIds.map((accountId) => database.charge(accountId, 30n)));
    const limits = (ids: readonly string[]): Promise<(bigint | undefined)[]> => Promise.all(ids.map(async (accountId) => readStoredAccount(await accounts.fieldsOf(accountId))?.limitNanoUsd));
    await cluster.nodes[0]?.kill();
    try {
      // A driver that has noticed does not count the node among the others any more; else its failure is one of the node.
      await sweeper.sweep();
      expect(await limits(well)).toEqual(well.map(() => 70n));
    } finally {
      await revive();
    }
    // A server that was started anew knows none of its accounts as open.
    const again = newOpenings([]);
    await again.open(lost, 20_000);
    await again.stop();
    troubles.length = 0;
    await waitFor(() => sweeper.sweep().then(() => troubles.splice(0).length === 0, () => false), { what: 'a sweep of all nodes', deadlineMs: 20_000 });
    expect(await limits(accountIds)).toEqual(accountIds.map(() => 70n));
  }, 60_000);
});

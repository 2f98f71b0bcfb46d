import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { RedisStore } from '@tokone/redis';
import { silentLogger } from '@tokone/telemetry';
import { makeTemporaryFolder, startRedisCluster, waitFor } from '@tokone/testing';
import type { RedisCluster, TemporaryFolder } from '@tokone/testing';
import type { ReserveResult } from '../admission.js';
import { DirectOpener } from '../fixtures/redis-driver.js';
import { RedisAccounts } from './redis-accounts.js';
import { RedisAdmission } from './redis-admission.js';

const ACCOUNTS = 30;
const CENT = 10_000_000n;
/** A refusal is promised within 100 ms. */
const PROMISED_MS = 100;
const now = (): number => performance.now();

let folder: TemporaryFolder;
let cluster: RedisCluster;
let store: RedisStore;
let admission: RedisAdmission;
const accountIds = Array.from({ length: ACCOUNTS }, () => randomUUID());

beforeAll(async () => {
  folder = await makeTemporaryFolder('admission-cluster');
  cluster = await startRedisCluster({ folder: folder.path });
  store = new RedisStore({ url: cluster.url, clientName: 'cluster-down-spec', logger: silentLogger, now });
  await store.untilConnected(10_000);
  const accounts = new RedisAccounts(store, `cluster-down:${randomUUID()}:`);
  const opener = new DirectOpener(accounts, { read: async () => ({ seq: 1n, balanceNanoUsd: 100_000n * CENT }) });
  admission = new RedisAdmission({ accounts, store, opener, gatewayId: 'gateway', now });
  opener.gateways.push(admission);
  admission.start();
}, 120_000);
afterAll(async () => {
  await admission.stop();
  await store.close();
  await cluster.discard();
  await folder.remove();
});

interface Answer {
  result: ReserveResult;
  tookMs: number;
}

async function reserve(accountId: string): Promise<Answer> {
  const startedAtMs = now();
  const amount = { inputNanoUsd: CENT, worstNanoUsd: CENT, firstStepNanoUsd: 0n, mode: 'limit_stated' } as const;
  const result = await admission.reserve({ accountId, requestId: randomUUID(), amount });
  return { result, tookMs: now() - startedAtMs };
}

const reserveAll = (): Promise<Answer[]> => Promise.all(accountIds.map(reserve));
const statusesOf = (answers: readonly Answer[]): string[] => answers.map(({ result }) => result.status);

it('refuses within the promise while a node is away and the cluster is down, never unchecked, and serves again without a restart', async () => {
  await waitFor(async () => statusesOf(await reserveAll()).every((status) => status === 'held'), { what: 'all accounts to be open', deadlineMs: 10_000 });
  await cluster.nodes[0]?.kill();
  // Those of the other nodes are still open, until these agree that the cluster is not whole.
  let answers: Answer[] = [];
  const isDown = async (): Promise<boolean> => {
    answers = await reserveAll();
    expect(statusesOf(answers).filter((status) => status !== 'held' && status !== 'unavailable')).toEqual([]);
    return statusesOf(answers).every((status) => status === 'unavailable') && answers.some(({ result }) => result.status === 'unavailable' && String(result.cause).includes('CLUSTERDOWN'));
  };
  await waitFor(isDown, { what: 'the cluster to say that it is down', deadlineMs: 20_000 });
  for (const { tookMs } of answers) expect(tookMs).toBeLessThan(PROMISED_MS);
  await cluster.nodes[0]?.start();
  await waitFor(async () => statusesOf(await reserveAll()).every((status) => status === 'held'), { what: 'all accounts to be served again', deadlineMs: 30_000 });
  await waitFor(() => admission.outstanding().settled === 0, { what: 'what was given up to be given back', deadlineMs: 30_000 });
}, 90_000);

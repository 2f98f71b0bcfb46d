import { afterAll, beforeAll } from '@jest/globals';
import { RedisStore } from '@tokone/redis';
import { silentLogger } from '@tokone/telemetry';
import { makeTemporaryFolder, startRedisCluster, testServers } from '@tokone/testing';
import type { RedisCluster, TemporaryFolder } from '@tokone/testing';
import { admissionContract } from '../admission.contract.js';
import { admissionSimulation } from '../admission-simulation.contract.js';
import { redisDriver } from '../fixtures/redis-driver.js';

let folder: TemporaryFolder;
let cluster: RedisCluster;
let onOne: RedisStore;
let onThree: RedisStore;

/** A shared machine may take its time; what a late answer does is shown in specs of its own. */
const storeAt = (url: string): RedisStore => new RedisStore({ url, clientName: 'admission-spec', logger: silentLogger, now: () => performance.now(), deadlineMs: 2_000 });

beforeAll(async () => {
  folder = await makeTemporaryFolder('redis-cluster');
  cluster = await startRedisCluster({ folder: folder.path });
  onOne = storeAt(await testServers().redis());
  onThree = storeAt(cluster.url);
  await Promise.all([onOne.untilConnected(10_000), onThree.untilConnected(10_000)]);
});
afterAll(async () => {
  await Promise.all([onOne.close(), onThree.close()]);
  await cluster.discard();
  await folder.remove();
});

admissionContract('Redis', (balances) => redisDriver(onOne, balances));
admissionContract('a Redis Cluster of three', (balances) => redisDriver(onThree, balances));
admissionSimulation('Redis', (balances) => redisDriver(onOne, balances), { lives: 1_000, steps: 100 });
admissionSimulation('a Redis Cluster of three', (balances) => redisDriver(onThree, balances), { lives: 100, steps: 100 });

import { readFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { silentLogger } from '@tokone/telemetry';
import { chooseFreePort, makeTemporaryFolder, startRedis, startRedisCluster, waitFor } from '@tokone/testing';
import type { RedisServer, TemporaryFolder } from '@tokone/testing';
import { RedisStore, RedisUnavailableError } from './redis-store.js';

const ECHO = { name: 'echo', lua: `redis.call('INCR', KEYS[1]) return {ARGV[1], redis.call('GET', KEYS[1])}` };
/** A refusal is promised within 100 ms. */
const PROMISED_MS = 100;

let folder: TemporaryFolder;
let server: RedisServer;
let store: RedisStore;
const storeAt = (url: string): RedisStore => new RedisStore({ url, clientName: 'store-spec', logger: silentLogger, now: () => performance.now() });
const answers = (): Promise<unknown> => waitFor(() => store.run(ECHO, 'alive', []).then(() => true, () => false), { what: 'Redis to answer again', deadlineMs: 10_000, intervalMs: 20 });

beforeAll(async () => {
  folder = await makeTemporaryFolder('redis-store');
  server = await startRedis({ folder: folder.path, docker: false, args: ['--enable-debug-command', 'yes'] });
  store = storeAt(server.url);
  await store.untilConnected(10_000);
});
afterEach(answers);
afterAll(async () => {
  await store.close();
  await server.discard();
  await folder.remove();
});

/** The signal takes effect a moment after it was sent. */
async function standStill(): Promise<void> {
  await server.pause();
  await waitFor(async () => / T /.test(await readFile(`/proc/${server.processId}/stat`, 'utf8')), { what: 'Redis to stand still', deadlineMs: 5_000, intervalMs: 1 });
}

interface Refusal {
  error: unknown;
  tookMs: number;
}

async function refusalOf(run: Promise<unknown>): Promise<Refusal> {
  const startedAtMs = performance.now();
  const error: unknown = await run.then(() => undefined, (reason: unknown) => reason);
  return { error, tookMs: performance.now() - startedAtMs };
}

describe('a script', () => {
  it('runs on its key, also on a server that has forgotten it', async () => {
    expect(await store.run(ECHO, 'key', ['a'])).toEqual(['a', '1']);
    const admin = new Redis(server.url);
    await admin.script('FLUSH');
    expect(await store.run(ECHO, 'key', ['b'])).toEqual(['b', '2']);
    admin.disconnect();
  });

  it('fails within the promise on a server that stands still, and works again when it goes on', async () => {
    await standStill();
    const refusals = await Promise.all(Array.from({ length: 20 }, () => refusalOf(store.run(ECHO, 'still', []))));
    await server.resume();
    for (const { error, tookMs } of refusals) {
      expect(error).toBeInstanceOf(RedisUnavailableError);
      expect(error).toMatchObject({ sent: true });
      expect(tookMs).toBeLessThan(PROMISED_MS);
    }
  });

  it('fails at once, and was not sent, while there is no server; and works again without a restart', async () => {
    await server.kill();
    await waitFor(() => !store.connected, { what: 'the end of the connection', deadlineMs: 5_000, intervalMs: 5 });
    const { error, tookMs } = await refusalOf(store.run(ECHO, 'gone', []));
    expect(error).toMatchObject({ name: 'RedisUnavailableError', sent: false });
    expect(tookMs).toBeLessThan(PROMISED_MS);
    await server.start();
  });

  it('fails on a server that became a replica, and works when it is the master again', async () => {
    const admin = new Redis(server.url);
    await admin.replicaof('127.0.0.1', String(await chooseFreePort()));
    const { error, tookMs } = await refusalOf(store.run(ECHO, 'replica', []));
    expect(error).toBeInstanceOf(RedisUnavailableError);
    expect(tookMs).toBeLessThan(PROMISED_MS);
    await admin.replicaof('NO', 'ONE');
    admin.disconnect();
  });

  it('fails on a server that loads its data, and works when it has', async () => {
    const admin = new Redis(server.url);
    const pipeline = admin.pipeline();
    for (let number = 0; number < 1_000; number++) pipeline.set(`loaded:${number}`, 'x'.repeat(100));
    await pipeline.exec();
    await admin.config('SET', 'key-load-delay', '1000');
    await admin.config('SET', 'loading-process-events-interval-bytes', '1024');
    // It reads its file anew, a millisecond per key, and answers LOADING meanwhile.
    const loading = admin.debug('LOADAOF').catch((error: Error) => error.message);
    const refusal = await refusalOf(store.run(ECHO, 'loading', []));
    expect(refusal.error).toBeInstanceOf(RedisUnavailableError);
    expect(refusal.tookMs).toBeLessThan(PROMISED_MS);
    expect(await loading).toBe('OK');
    await admin.config('SET', 'key-load-delay', '0');
    admin.disconnect();
  });
});

describe('a cluster', () => {
  it('runs scripts on every node, and lists the keys of all of them', async () => {
    const place = await makeTemporaryFolder('store-cluster');
    const cluster = await startRedisCluster({ folder: place.path });
    const clustered = storeAt(cluster.url);
    try {
      await clustered.untilConnected(10_000);
      const keys = Array.from({ length: 50 }, (_, index) => `p:{account-${index}}`);
      for (const key of keys) expect(await clustered.run(ECHO, key, ['x'])).toEqual(['x', '1']);
      const found: string[] = [];
      for await (const page of clustered.keys('p:{')) found.push(...page);
      expect([...new Set(found)].sort()).toEqual([...keys].sort());
      await cluster.nodes[0]?.kill();
      const refusals = await Promise.all(keys.map((key) => refusalOf(clustered.run(ECHO, key, []))));
      for (const { tookMs } of refusals) expect(tookMs).toBeLessThan(PROMISED_MS);
      // Its peers need a moment to agree that it is gone. Which key is refused by name, and which is past its deadline before the client has asked anew, is the clock's.
      let named: Refusal[] = [];
      const isDown = async (): Promise<boolean> => (named = (await Promise.all(keys.map((key) => refusalOf(clustered.run(ECHO, key, []))))).filter(({ error }) => String(error).includes('CLUSTERDOWN'))).length > 0;
      await waitFor(isDown, { what: 'the cluster to say that it is down', deadlineMs: 20_000 });
      for (const { error, tookMs } of named) {
        expect(error).toBeInstanceOf(RedisUnavailableError);
        expect(tookMs).toBeLessThan(PROMISED_MS);
      }
      await cluster.nodes[0]?.start();
      await waitFor(async () => (await Promise.all(keys.map((key) => clustered.run(ECHO, key, []).then(() => true, () => false)))).every(Boolean), { what: 'the cluster to be whole', deadlineMs: 20_000 });
    } finally {
      await clustered.close();
      await cluster.discard();
      await place.remove();
    }
  }, 60_000);
});

describe('a store', () => {
  it('closes although there was never a server', async () => {
    const nobody = storeAt(`redis://127.0.0.1:${await chooseFreePort()}`);
    await expect(nobody.untilConnected(50)).rejects.toBeInstanceOf(RedisUnavailableError);
    await nobody.close();
  });
});

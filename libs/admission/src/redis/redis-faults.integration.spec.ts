import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { RedisStore } from '@tokone/redis';
import { silentLogger } from '@tokone/telemetry';
import { FaultProxy, makeTemporaryFolder, startRedis, waitFor } from '@tokone/testing';
import type { RedisServer, TemporaryFolder } from '@tokone/testing';
import { randomUUID } from 'node:crypto';
import type { BalanceSource, ReserveResult } from '../admission.js';
import { DirectOpener, storedAccounts } from '../fixtures/redis-driver.js';
import { RedisAccounts } from './redis-accounts.js';
import { RedisAdmission } from './redis-admission.js';
import type { StoredAccount } from './stored-account.js';

const ACCOUNT = '00000000-0000-7000-8000-0000000000a1';
const USD = 1_000_000_000n;
const CENT = 10_000_000n;
/** A refusal is promised within 100 ms. */
const PROMISED_MS = 100;
const now = (): number => performance.now();

/** One gateway's admission behind a network of its own. */
interface Gateway {
  admission: RedisAdmission;
  store: RedisStore;
  proxy: FaultProxy;
  /** Settles that were tried so far. */
  settles: () => number;
  /** How often it looked where an account was opened. */
  looks: () => number;
}

class CountingAccounts extends RedisAccounts {
  settles = 0;
  looks = 0;

  override settle(...args: Parameters<RedisAccounts['settle']>): ReturnType<RedisAccounts['settle']> {
    this.settles++;
    return super.settle(...args);
  }

  override sees(...args: Parameters<RedisAccounts['sees']>): ReturnType<RedisAccounts['sees']> {
    this.looks++;
    return super.sees(...args);
  }
}

let folder: TemporaryFolder;
let server: RedisServer;
let direct: RedisStore;
let accounts: RedisAccounts;
let opener: DirectOpener;
let gateways: Gateway[];
let prefix: string;
const ledger: BalanceSource & { balanceNanoUsd: bigint; seq: bigint } = { balanceNanoUsd: USD, seq: 1n, read: async () => ({ seq: ledger.seq, balanceNanoUsd: ledger.balanceNanoUsd }) };
const storeAt = (url: string, deadlineMs?: number): RedisStore => new RedisStore({ url, clientName: 'faults-spec', logger: silentLogger, now, ...(deadlineMs !== undefined && { deadlineMs }) });

beforeAll(async () => {
  folder = await makeTemporaryFolder('redis-faults');
  server = await startRedis({ folder: folder.path, docker: false });
  direct = storeAt(server.url, 5_000);
});
afterAll(async () => {
  await direct.close();
  await server.discard();
  await folder.remove();
});
beforeEach(async () => {
  await direct.untilConnected(10_000);
  Object.assign(ledger, { balanceNanoUsd: USD, seq: 1n });
  prefix = `faults:${randomUUID()}:`;
  accounts = new RedisAccounts(direct, prefix);
  opener = new DirectOpener(accounts, ledger);
  gateways = [await openGateway('gateway-1'), await openGateway('gateway-2')];
});
afterEach(async () => {
  for (const { admission, store, proxy } of gateways) {
    await admission.stop();
    await store.close();
    await proxy.stop();
  }
});

async function openGateway(gatewayId: string, leaseMs = 30_000): Promise<Gateway> {
  const proxy = await FaultProxy.start({ target: { port: Number(new URL(server.url).port) } });
  const store = storeAt(`redis://${proxy.address}`);
  await store.untilConnected(10_000);
  const counting = new CountingAccounts(store, prefix);
  const admission = new RedisAdmission({ accounts: counting, store, opener, gatewayId, now, leaseMs });
  opener.gateways.push(admission);
  admission.start();
  return { admission, store, proxy, settles: () => counting.settles, looks: () => counting.looks };
}

function gateway(index: number): Gateway {
  const found = gateways[index];
  if (!found) throw new Error(`no gateway ${index}`);
  return found;
}

let requests = 0;
const newId = (): string => `00000000-0000-7000-9000-${(++requests).toString(16).padStart(12, '0')}`;
const reserve = (index: number, nanoUsd: bigint, requestId = newId()): Promise<ReserveResult> =>
  gateway(index).admission.reserve({ accountId: ACCOUNT, requestId, amount: { inputNanoUsd: nanoUsd, worstNanoUsd: nanoUsd, firstStepNanoUsd: 0n, mode: 'limit_stated' } });
const stored = async (): Promise<StoredAccount | undefined> => (await storedAccounts(accounts)).find(([accountId]) => accountId === ACCOUNT)?.[1];

async function timed<Answer>(work: Promise<Answer>): Promise<{ answer: Answer; tookMs: number }> {
  const startedAtMs = now();
  return { answer: await work, tookMs: now() - startedAtMs };
}

/** The signal takes effect a moment after it was sent. */
async function standStill(): Promise<void> {
  await server.pause();
  await waitFor(async () => / T /.test(await readFile(`/proc/${server.processId}/stat`, 'utf8')), { what: 'Redis to stand still', deadlineMs: 5_000, intervalMs: 1 });
}

const admits = (index: number): Promise<unknown> => waitFor(async () => (await reserve(index, 1n)).status === 'held', { what: 'requests to be admitted again', deadlineMs: 10_000, intervalMs: 20 });

describe('a Redis that stands still', () => {
  it('refuses each request within the promise; what arrives later holds nothing', async () => {
    await reserve(0, CENT);
    await standStill();
    const refusals = await Promise.all(Array.from({ length: 50 }, () => timed(reserve(0, CENT))));
    await server.resume();
    for (const { answer, tookMs } of refusals) {
      expect(answer.status).toBe('unavailable');
      expect(tookMs).toBeLessThan(PROMISED_MS);
    }
    await waitFor(async () => (await stored())?.heldNanoUsd === CENT, { what: 'the voided holds to be given back', deadlineMs: 10_000 });
    expect((await stored())?.held).toHaveLength(1);
    await admits(0);
  });

  it('takes a settle once it answers, which the gateway had to do without', async () => {
    const requestId = newId();
    await reserve(0, 50n * CENT, requestId);
    await standStill();
    await expect(gateway(0).admission.settle(ACCOUNT, { requestId, costNanoUsd: 20n * CENT, heldNanoUsd: 50n * CENT })).rejects.toThrow(/no answer within 50 ms/);
    await server.resume();
    await waitFor(async () => (await stored())?.settledNanoUsd === 20n * CENT, { what: 'the settle', deadlineMs: 10_000 });
    expect(await stored()).toMatchObject({ heldNanoUsd: 0n, settledNanoUsd: 20n * CENT });
  });

  it('repeats a settle that never arrived until it is answered', async () => {
    const requestId = newId();
    await reserve(0, 50n * CENT, requestId);
    const { proxy, admission, store, settles } = gateway(0);
    proxy.refuse();
    proxy.resetAll();
    await waitFor(() => !store.connected, { what: 'the connection to be gone', deadlineMs: 5_000, intervalMs: 1 });
    await expect(admission.settle(ACCOUNT, { requestId, costNanoUsd: 20n * CENT, heldNanoUsd: 50n * CENT })).rejects.toThrow('was not sent');
    await waitFor(() => settles() >= 4, { what: 'the settle to be repeated', deadlineMs: 10_000 });
    expect(await stored()).toMatchObject({ heldNanoUsd: 50n * CENT, settledNanoUsd: 0n });
    expect(admission.outstanding()).toMatchObject({ held: 1, settled: 1 });
    proxy.heal();
    await waitFor(() => admission.outstanding().settled === 0, { what: 'the answer', deadlineMs: 10_000 });
    expect(await stored()).toMatchObject({ heldNanoUsd: 0n, settledNanoUsd: 20n * CENT });
    expect(admission.outstanding()).toMatchObject({ held: 0 });
  });

  it('refuses the reserve that arrives behind its void', async () => {
    await reserve(0, CENT);
    const requestId = newId();
    expect(await accounts.void(ACCOUNT, requestId)).toBe('void');
    expect(await reserve(0, CENT, requestId)).toMatchObject({ status: 'unavailable' });
    expect((await stored())?.held).toHaveLength(1);
  });
});

describe('a gateway that is cut off from Redis', () => {
  it('refuses within the promise, serves the others as before, and comes back without a restart', async () => {
    await reserve(0, CENT);
    await reserve(1, CENT);
    gateway(0).proxy.pause();
    const refusals = await Promise.all(Array.from({ length: 20 }, () => timed(reserve(0, CENT))));
    for (const { answer, tookMs } of refusals) {
      expect(answer.status).toBe('unavailable');
      expect(tookMs).toBeLessThan(PROMISED_MS);
    }
    expect(await reserve(1, CENT)).toMatchObject({ status: 'held' });
    gateway(0).proxy.heal();
    await admits(0);
  });
});

describe('the loss of all that Redis had', () => {
  const held = async (): Promise<void> => {
    expect(await reserve(0, 30n * CENT)).toMatchObject({ status: 'held' });
    expect(await reserve(1, 40n * CENT)).toMatchObject({ status: 'held' });
  };
  const onlyTheRestIsFree = async (): Promise<void> => {
    expect(await reserve(1, 31n * CENT)).toMatchObject({ status: 'balance_held', availableNanoUsd: 30n * CENT });
    expect(await reserve(0, 30n * CENT)).toMatchObject({ status: 'held' });
    expect(await stored()).toMatchObject({ ready: true, heldNanoUsd: USD });
  };

  it('one key: every gateway tells what it holds, before anyone is admitted', async () => {
    await held();
    await accounts.forget(ACCOUNT);
    await onlyTheRestIsFree();
  });

  it('a restart, whatever came back from its file: the account is opened anew', async () => {
    await held();
    const before = await stored();
    await server.kill();
    await server.start();
    await direct.untilConnected(10_000);
    expect(await stored()).toMatchObject({ heldNanoUsd: before?.heldNanoUsd });
    for (const { store } of gateways) await waitFor(() => store.connected, { what: 'the gateways to reconnect', deadlineMs: 10_000, intervalMs: 10 });
    await onlyTheRestIsFree();
  });

  it('does not refuse an extension, which is asked for again', async () => {
    const requestId = newId();
    await reserve(0, 30n * CENT, requestId);
    await accounts.forget(ACCOUNT);
    await expect(gateway(0).admission.extend(ACCOUNT, requestId, CENT)).rejects.toThrow('the state of the account was lost');
    const extended = await waitFor(() => gateway(0).admission.extend(ACCOUNT, requestId, CENT).catch(() => undefined), { what: 'the account to be opened', deadlineMs: 5_000, intervalMs: 10 });
    expect(extended).toEqual({ addedNanoUsd: CENT, holdNanoUsd: 31n * CENT });
  });
});

describe('two servers that are alive at a time', () => {
  it('admit a balance once: a gateway at the old one is refused until it sees where the account was opened', async () => {
    await reserve(0, 30n * CENT);
    const other = await startRedis({ folder: join(folder.path, 'second'), docker: false });
    const port = Number(new URL(server.url).port);
    const elsewhere = storeAt(other.url, 5_000);
    try {
      await elsewhere.untilConnected(10_000);
      // The account service and the second gateway have moved; the first still has its connection to the old server.
      const moved = new RedisAccounts(elsewhere, prefix);
      opener.accounts = moved;
      gateway(0).proxy.target = { host: '127.0.0.1', port: Number(new URL(other.url).port) };
      expect((await opener.open([ACCOUNT])).get(ACCOUNT)).toBeDefined();
      // What it held at the old server was told; its old connection was dropped, and the new one leads to the other server.
      expect((await storedAccounts(moved))[0]?.[1]).toMatchObject({ heldNanoUsd: 30n * CENT });
      await waitFor(async () => (await reserve(0, 50n * CENT)).status === 'held', { what: 'the gateway to be at the other server', deadlineMs: 10_000, intervalMs: 20 });
      expect((await storedAccounts(moved))[0]?.[1]).toMatchObject({ heldNanoUsd: 80n * CENT });
      expect(await stored()).toMatchObject({ heldNanoUsd: 30n * CENT });
    } finally {
      gateway(0).proxy.target = { host: '127.0.0.1', port };
      await elsewhere.close();
      await other.discard();
    }
  });

  it('are not mixed up by a gateway that only reaches the old one: it asks there for nothing, and gives back at the new one what it was told to', async () => {
    const [kept, released] = [newId(), newId()];
    await reserve(0, 30n * CENT, kept);
    await reserve(0, 20n * CENT, released);
    const atOld = await stored();
    const other = await startRedis({ folder: join(folder.path, 'third'), docker: false });
    const elsewhere = storeAt(other.url, 5_000);
    const { admission, store, proxy, looks } = gateway(0);
    try {
      await elsewhere.untilConnected(10_000);
      const moved = new RedisAccounts(elsewhere, prefix);
      const atNew = async (): Promise<StoredAccount | undefined> => (await storedAccounts(moved))[0]?.[1];
      opener.accounts = moved;
      await opener.open([ACCOUNT]);
      expect(await atNew()).toMatchObject({ ready: true, heldNanoUsd: 50n * CENT });
      const connected = (): Promise<unknown> => waitFor(() => store.connected, { what: 'the old server to be reached again', deadlineMs: 10_000, intervalMs: 1 });
      // The old server still answers, and knows the account as it was.
      for (let time = 0; time < 5; time++) {
        await connected();
        expect(await reserve(0, CENT)).toMatchObject({ status: 'unavailable' });
        await connected();
        await expect(admission.extend(ACCOUNT, kept, CENT)).rejects.toThrow(/lost|Redis/);
      }
      // A reserve whose question got no answer is voided at the new server, whether or not it was sent.
      const { settled: voids } = admission.outstanding();
      await connected();
      await expect(admission.settle(ACCOUNT, { requestId: kept, costNanoUsd: 10n * CENT, heldNanoUsd: 30n * CENT })).rejects.toThrow(/lost|Redis/);
      await connected();
      await admission.release(ACCOUNT, released);
      expect(admission.outstanding()).toMatchObject({ settled: voids + 2 });
      // Repeated more than once at the old server, each is still to be done.
      const looked = looks();
      await waitFor(() => looks() >= looked + 3 * (voids + 2), { what: 'the new server to be looked for', deadlineMs: 10_000 });
      expect(admission.outstanding()).toMatchObject({ settled: voids + 2 });
      expect(await stored()).toEqual(atOld);
      proxy.target = { host: '127.0.0.1', port: Number(new URL(other.url).port) };
      proxy.resetAll();
      await waitFor(() => admission.outstanding().settled === 0, { what: 'the settle and the void at the new server', deadlineMs: 10_000 });
      expect(await atNew()).toMatchObject({ heldNanoUsd: 0n, settledNanoUsd: 10n * CENT, held: [] });
      expect((await atNew())?.tombstones.map(({ requestId }) => requestId)).toContain(released);
      expect(await stored()).toEqual(atOld);
    } finally {
      await elsewhere.close();
      await other.discard();
    }
  });

  it('leave nothing behind of a request that is given back while its gateway is at the wrong one', async () => {
    // It answers, and does not know the opening; this gateway stays with it.
    const store = { settled: () => direct.settled(), reconnect: () => undefined, connected: true };
    const admission = new RedisAdmission({ accounts, store, opener, gatewayId: 'gateway-3', now });
    const requestId = newId();
    await reserve(0, 1n);
    expect(await admission.reserve({ accountId: ACCOUNT, requestId, amount: { inputNanoUsd: CENT, worstNanoUsd: CENT, firstStepNanoUsd: 0n, mode: 'limit_stated' } })).toMatchObject({ status: 'held' });
    await admission.announce([ACCOUNT], 'elsewhere.1');
    await admission.release(ACCOUNT, requestId);
    expect(admission.outstanding()).toEqual({ held: 0, settled: 1, heldNanoUsd: 0n });
    expect(await stored()).toMatchObject({ heldNanoUsd: CENT + 1n });
  });
});

describe('leases', () => {
  it('are renewed while the gateway lives', async () => {
    const renewing = await openGateway('gateway-3', 300);
    gateways.push(renewing);
    const requestId = newId();
    await renewing.admission.reserve({ accountId: ACCOUNT, requestId, amount: { inputNanoUsd: CENT, worstNanoUsd: CENT, firstStepNanoUsd: 0n, mode: 'limit_stated' } });
    const first = (await stored())?.held.find((hold) => hold.requestId === requestId)?.leaseUntilMs ?? 0;
    await waitFor(async () => ((await stored())?.held.find((hold) => hold.requestId === requestId)?.leaseUntilMs ?? 0) > first + 200, { what: 'the lease to be renewed', deadlineMs: 5_000 });
  });
});

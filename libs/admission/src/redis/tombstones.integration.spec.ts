import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { RedisStore } from '@tokone/redis';
import { silentLogger } from '@tokone/telemetry';
import { testServers } from '@tokone/testing';
import { HOLD_LEASE_MS, RedisAccounts } from './redis-accounts.js';
import { readStoredAccount } from './stored-account.js';
import type { StoredAccount } from './stored-account.js';

const ACCOUNT = '00000000-0000-7000-8000-0000000000a1';
const REQUEST = '00000000-0000-7000-9000-000000000001';
const OPENING = { token: 'spec.1', replica: 'spec', staleMs: 0 };
const BALANCE = { seq: 1n, balanceNanoUsd: 100n };
/** Longer than anything lies in the socket of a server that stood still. */
const KEPT_MS = 60_000;

let store: RedisStore;
let accounts: RedisAccounts;
beforeAll(async () => {
  store = new RedisStore({ url: await testServers().redis(), clientName: 'tombstones-spec', logger: silentLogger, now: () => performance.now(), deadlineMs: 5_000 });
  await store.untilConnected(10_000);
});
afterAll(() => store.close());
beforeEach(async () => {
  accounts = new RedisAccounts(store, `tombstones:${randomUUID()}:`);
  expect(await accounts.begin(ACCOUNT, OPENING)).toBe('begun');
});

const reserve = (requestId = REQUEST) =>
  accounts.reserve(ACCOUNT, { requestId, owner: 'gateway', leaseMs: HOLD_LEASE_MS, rule: { inputNanoUsd: 10n, worstNanoUsd: 10n, firstStepNanoUsd: 0n, mode: 'limit_stated' } });
const open = async (): Promise<void> => expect(await accounts.open(ACCOUNT, OPENING.token, BALANCE)).toBe(true);

async function stored(): Promise<StoredAccount> {
  const found = readStoredAccount(await accounts.fieldsOf(ACCOUNT));
  if (!found) throw new Error('the account is gone');
  return found;
}

async function serverNowMs(): Promise<number> {
  const seen = await accounts.look(ACCOUNT);
  if (seen === 'cold') throw new Error('the account is cold');
  return seen.nowMs;
}

/** It stands, for as long as a reserve may be late, and keeps that one out. */
async function expectTombstone(fromMs: number): Promise<void> {
  const untilMs = (await stored()).tombstones.find(({ requestId }) => requestId === REQUEST)?.untilMs ?? 0;
  expect(untilMs).toBeGreaterThanOrEqual(fromMs + KEPT_MS);
  expect(untilMs).toBeLessThanOrEqual((await serverNowMs()) + KEPT_MS);
  expect(await reserve()).toBe('void');
  expect(await stored()).toMatchObject({ heldNanoUsd: 0n, held: [], tombstones: [{ requestId: REQUEST }] });
}

describe('a tombstone', () => {
  it('of a void keeps the reserve out that comes behind it, and the hold that is told while the account is being opened', async () => {
    expect(await accounts.void(ACCOUNT, REQUEST)).toBe('void');
    const before = await accounts.fieldsOf(ACCOUNT);
    expect(await accounts.announce(ACCOUNT, { token: OPENING.token, leaseMs: HOLD_LEASE_MS }, [{ requestId: REQUEST, amountNanoUsd: 10n, extendable: false, whole: true, owner: 'gateway' }])).toBe(true);
    expect(await accounts.fieldsOf(ACCOUNT)).toEqual(before);
    await open();
    await expectTombstone((await serverNowMs()) - HOLD_LEASE_MS);
  });

  it('outlives an opening that is begun anew', async () => {
    await accounts.void(ACCOUNT, REQUEST);
    const { tombstones } = await stored();
    expect(await accounts.begin(ACCOUNT, { ...OPENING, token: 'spec.2' })).toBe('begun');
    expect((await stored()).tombstones).toEqual(tombstones);
  });

  it('of a hold that a sweeper gives back keeps its reserve out, and goes when it is dropped itself', async () => {
    await open();
    expect(await reserve()).toMatchObject({ status: 'held' });
    const fromMs = await serverNowMs();
    expect(await accounts.drop(ACCOUNT, (await stored()).held)).toBe(1);
    await expectTombstone(fromMs);
    expect(await accounts.drop(ACCOUNT, (await stored()).tombstones)).toBe(1);
    expect((await stored()).tombstones).toEqual([]);
    expect(await reserve()).toMatchObject({ status: 'held' });
  });

  it('that was renewed since it was read is not dropped', async () => {
    await open();
    await accounts.void(ACCOUNT, REQUEST);
    const [read] = (await stored()).tombstones;
    expect(await accounts.drop(ACCOUNT, [{ requestId: REQUEST, value: `v|${(read?.untilMs ?? 0) - 1}` }])).toBe(0);
    expect((await stored()).tombstones).toEqual([read]);
  });
});

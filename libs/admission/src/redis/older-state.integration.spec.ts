import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { RedisStore } from '@tokone/redis';
import { silentLogger } from '@tokone/telemetry';
import { makeTemporaryFolder, startRedis } from '@tokone/testing';
import type { RedisServer, TemporaryFolder } from '@tokone/testing';
import { randomUUID } from 'node:crypto';
import type { HoldRule } from '../admission.js';
import { DirectOpener } from '../fixtures/redis-driver.js';
import { COLD, HOLD_LEASE_MS, RedisAccounts } from './redis-accounts.js';
import { RedisAdmission } from './redis-admission.js';
import { readStoredAccount } from './stored-account.js';

const ACCOUNT = '00000000-0000-7000-8000-0000000000a1';
const [KEPT, CHARGED, LATER] = ['00000000-0000-7000-9000-000000000001', '00000000-0000-7000-9000-000000000002', '00000000-0000-7000-9000-000000000003'] as const;
const USD = 1_000_000_000n;
const CENT = 10_000_000n;
const LIMITS = [{ scope: 'account', id: ACCOUNT, concurrentRequests: 5, tokensPerMinute: 1_000 }] as const;
const exactly = (nanoUsd: bigint): HoldRule => ({ inputNanoUsd: nanoUsd, worstNanoUsd: nanoUsd, firstStepNanoUsd: 0n, mode: 'limit_stated' });
const now = (): number => performance.now();

let folder: TemporaryFolder;
let server: RedisServer;
let store: RedisStore;
let accounts: RedisAccounts;
let admission: RedisAdmission;

beforeAll(async () => {
  folder = await makeTemporaryFolder('redis-older');
  // What is answered is in the file, so that a copy has it.
  server = await startRedis({ folder: folder.path, docker: false, args: ['--appendfsync', 'always'] });
  store = new RedisStore({ url: server.url, clientName: 'older-spec', logger: silentLogger, now, deadlineMs: 5_000 });
});
afterAll(async () => {
  await store.close();
  await server.discard();
  await folder.remove();
});

/**
 * A hold; then the moment that comes back; then a charge and a second hold. 30 + 20 + 40 of 100 cents are taken in truth,
 * and 30 by what came back. A lost AOF tail and a replica that was behind look like this.
 */
beforeEach(async () => {
  await store.untilConnected(10_000);
  accounts = new RedisAccounts(store, `older:${randomUUID()}:`);
  const opener = new DirectOpener(accounts, { read: async () => ({ seq: 1n, balanceNanoUsd: USD }) });
  admission = new RedisAdmission({ accounts, store, opener, gatewayId: 'gateway', now });
  opener.gateways.push(admission);
  await take(KEPT, 30n * CENT);
  await cp(file(), copy(), { recursive: true });
  await take(CHARGED, 20n * CENT);
  await take(LATER, 40n * CENT);
  expect(await admission.settle(ACCOUNT, { requestId: CHARGED, costNanoUsd: 20n * CENT, heldNanoUsd: 20n * CENT })).toBe(20n * CENT);
  await server.kill();
  await rm(file(), { recursive: true });
  await cp(copy(), file(), { recursive: true });
  await rm(copy(), { recursive: true });
  await server.start();
  await store.untilConnected(10_000);
  const back = readStoredAccount(await accounts.fieldsOf(ACCOUNT));
  expect(back).toMatchObject({ ready: true, heldNanoUsd: 30n * CENT, settledNanoUsd: 0n, held: [{ requestId: KEPT }] });
});

const file = (): string => join(folder.path, 'redis', 'appendonlydir');
const copy = (): string => join(folder.path, 'moment');

async function take(requestId: string, nanoUsd: bigint): Promise<void> {
  expect(await admission.reserve({ accountId: ACCOUNT, requestId, amount: exactly(nanoUsd) })).toMatchObject({ status: 'held', holdNanoUsd: nanoUsd });
}

describe('a server that came back with an older state', () => {
  const hold = { requestId: '00000000-0000-7000-9000-000000000004', owner: 'gateway', leaseMs: HOLD_LEASE_MS, rule: exactly(CENT) };
  const settlement = { requestId: LATER, costNanoUsd: CENT, heldNanoUsd: 40n * CENT };

  it('knows nothing of the account, whatever it is asked', async () => {
    const before = await accounts.fieldsOf(ACCOUNT);
    const token = String(before['t']);
    expect({
      reserve: await accounts.reserve(ACCOUNT, hold),
      'reserve, as before': await accounts.reserve(ACCOUNT, { ...hold, requestId: KEPT }),
      'reserve with limits': await accounts.reserve(ACCOUNT, { ...hold, limits: LIMITS, tokens: 1 }),
      extend: await accounts.extend(ACCOUNT, KEPT, CENT),
      settle: await accounts.settle(ACCOUNT, settlement),
      'settle of what is there': await accounts.settle(ACCOUNT, { ...settlement, requestId: KEPT }),
      'settle with limits': await accounts.settle(ACCOUNT, { ...settlement, usedTokens: 1 }, LIMITS),
      void: await accounts.void(ACCOUNT, KEPT),
      'void with limits': await accounts.void(ACCOUNT, KEPT, LIMITS),
      post: await accounts.post({ accountId: ACCOUNT, seq: 2n, balanceNanoUsd: USD, requestIds: [KEPT] }),
      look: await accounts.look(ACCOUNT),
    }).toEqual({ reserve: COLD, 'reserve, as before': COLD, 'reserve with limits': COLD, extend: COLD, settle: COLD, 'settle of what is there': COLD, 'settle with limits': COLD, void: COLD, 'void with limits': COLD, post: COLD, look: COLD });
    await accounts.renew(ACCOUNT, 10 * HOLD_LEASE_MS, [KEPT]);
    expect(await accounts.drop(ACCOUNT, [{ requestId: KEPT, value: String(before[KEPT]) }])).toBe(0);
    expect(await accounts.sees(ACCOUNT, token)).toBe(false);
    expect(await accounts.announce(ACCOUNT, { token, leaseMs: HOLD_LEASE_MS }, [])).toBe(false);
    expect(await accounts.open(ACCOUNT, token, { seq: 9n, balanceNanoUsd: USD })).toBe(false);
    expect(await accounts.fieldsOf(ACCOUNT)).toEqual(before);
  });

  it('opens it anew, with what its gateways hold and nothing of what came back', async () => {
    expect(await accounts.begin(ACCOUNT, { token: 'another.1', replica: 'another', staleMs: 60_000 })).toBe('begun');
    expect(readStoredAccount(await accounts.fieldsOf(ACCOUNT))).toMatchObject({ ready: false, heldNanoUsd: 0n, held: [] });
  });

  it('does not offer again what was taken after that state', async () => {
    // The charge of 20 cents is not posted in this ledger, which a fence would have waited for: 100 - 30 - 40.
    expect(await admission.reserve({ accountId: ACCOUNT, requestId: hold.requestId, amount: exactly(31n * CENT) })).toMatchObject({ status: 'balance_held', availableNanoUsd: 30n * CENT });
    expect(readStoredAccount(await accounts.fieldsOf(ACCOUNT))?.held.map(({ requestId }) => requestId).sort()).toEqual([KEPT, LATER]);
  });

  it.each([
    ['an extension', () => admission.extend(ACCOUNT, KEPT, 70n * CENT)],
    ['a settle', () => admission.settle(ACCOUNT, { requestId: KEPT, costNanoUsd: USD, heldNanoUsd: 30n * CENT })],
  ])('answers %s by that state to nobody', async (_what, ask) => {
    await expect(ask()).rejects.toThrow('the state of the account was lost');
  });
});

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { KeyRecord } from '@tokone/account-client';
import type { AccountChanged } from '@tokone/events';
import { MemoryAdmission } from '@tokone/admission';
import { Uuid7Source } from '@tokone/protocol';
import { Spool } from '@tokone/spool';
import { silentLogger } from '@tokone/telemetry';
import { makeTemporaryFolder, waitFor } from '@tokone/testing';
import type { TemporaryFolder } from '@tokone/testing';
import { createHmac } from 'node:crypto';
import { tenantKey } from './fixtures/tenant.js';
import { Gateway } from './gateway.js';

const PEPPER = Buffer.alloc(32, 1);
const HEADERS = ['authorization', 'Bearer sk-test'];
let folder: TemporaryFolder;
let spool: Spool;
let gateway: Gateway;
let key: KeyRecord;
let groupNames: string[];

beforeEach(async () => {
  key = tenantKey;
  groupNames = ['OpenAI'];
  folder = await makeTemporaryFolder('account-changes');
  const now = () => Date.now();
  spool = await Spool.open({ folder: folder.path, now, onAlarm: () => undefined, ballastBytes: 0 });
  gateway = new Gateway(
    {
      accounts: {
        findKey: async () => key,
        groups: async () => groupNames.map((name) => ({ groupId: tenantKey.groupId, name, platform: 'openai', models: undefined })),
      },
      balances: { balanceOf: async () => 0n },
      admission: new MemoryAdmission({ now, balances: { read: async () => undefined } }),
      prices: { find: () => undefined, byId: async () => undefined, models: () => [] },
      usage: { ofKey: () => Promise.reject(new Error('not asked here')) },
      adapters: new Map(),
      spool,
      ids: new Uuid7Source(now),
      logger: silentLogger,
      now,
      monotonicNow: () => performance.now(),
    },
    { pepper: PEPPER },
  );
  await gateway.open();
  await gateway.authenticator.authenticate(HEADERS);
});
afterEach(async () => {
  gateway.close();
  await spool.close();
  await folder.remove();
});

function event(change: Partial<AccountChanged>): AccountChanged {
  return { schema: 1, id: '019ab1c2-0000-7000-8000-000000000009', at: 0, traceparent: null, kind: 'key', ...change };
}

/** What the cache says at once: of a forgotten key it says nothing. */
const cached = (): boolean => !(gateway.authenticator.authenticate(HEADERS) instanceof Promise);
const keyDigest = createHmac('sha256', PEPPER).update('sk-test').digest('base64url');
const { accountId, groupId } = tenantKey;

describe('a gateway that is told of a change', () => {
  it.each<[string, Partial<AccountChanged>]>([
    ['the key', { kind: 'key', keyDigest }],
    ['its account', { kind: 'account', accountId }],
    ['its multiplier', { kind: 'multiplier', accountId, groupId }],
    ['its group', { kind: 'group', groupId }],
  ])('of %s asks for the key again before it uses it', async (_what, change) => {
    expect(cached()).toBe(true);
    key = { ...tenantKey, status: 'disabled' };
    gateway.accountChanged(event(change));
    await expect(gateway.authenticator.authenticate(HEADERS)).rejects.toMatchObject({ code: 'disabled_key' });
  });

  it.each<[string, Partial<AccountChanged>]>([
    ['another key', { kind: 'key', keyDigest: 'A'.repeat(43), accountId, groupId }],
    ['another account', { kind: 'account', accountId: groupId }],
    ['another group', { kind: 'group', groupId: accountId }],
    ['an upstream', { kind: 'upstream', groupId }],
    ['a key without its digest', { kind: 'key', accountId }],
  ])('of %s goes on as before', (_what, change) => {
    gateway.accountChanged(event(change));
    expect(cached()).toBe(true);
  });

  it('of a group reads the groups again', async () => {
    groupNames = ['OpenAI', 'Second'];
    gateway.accountChanged(event({ kind: 'group', groupId }));
    await waitFor(() => gateway.groups.current().length === 2, { what: 'the groups', deadlineMs: 5_000, intervalMs: 5 });
  });

  it('that it may have missed asks for everything again', async () => {
    groupNames = ['OpenAI', 'Second'];
    key = { ...tenantKey, status: 'disabled' };
    gateway.missedChanges();
    await expect(gateway.authenticator.authenticate(HEADERS)).rejects.toMatchObject({ code: 'disabled_key' });
    await waitFor(() => gateway.groups.current().length === 2, { what: 'the groups', deadlineMs: 5_000, intervalMs: 5 });
  });
});

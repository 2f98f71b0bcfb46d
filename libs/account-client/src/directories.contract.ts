import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import type { AccountDirectory, GroupRecord, KeyRecord } from './account-directory.js';
import type { Balances, WalletBalance } from './balances.js';
import type { RequestLimits } from './request-limits.js';
import type { Upstream, UpstreamDirectory } from './upstream-directory.js';

/** The tables behind a directory, as a test fills them. Each group, account and upstream is made when it is not there. */
export interface DirectoryTables {
  /** A key that is exactly this. `multiplierPpm` is the group's, or the account's own when the group has another one. */
  putKey(digest: Buffer, key: KeyRecord): Promise<void>;
  /** Of an account, a group, both together, or a key; with `userId` too, of that user, whose the key then is. */
  putLimits(subject: { accountId?: string; groupId?: string; userId?: string; keyId?: string }, limits: RequestLimits): Promise<void>;
  putGroup(group: GroupRecord): Promise<void>;
  /** The multiplier of an account in a group. */
  putMultiplier(accountId: string, groupId: string, multiplierPpm: number): Promise<void>;
  putUpstream(groupId: string, upstream: Upstream, status?: 'active' | 'disabled'): Promise<void>;
  putBalance(accountId: string, balance: WalletBalance): Promise<void>;
  /** Runs `work` while the tables cannot be read. */
  away(work: () => Promise<void>): Promise<void>;
}

export interface DirectoryDriver<Port> {
  port: Port;
  tables: DirectoryTables;
  close(): Promise<void>;
}

let count = 0;
/** A new one for each use, so that drivers may share their tables. */
function newId(): string {
  count += 1;
  return `00000000-0000-7000-8000-${process.pid.toString(16).padStart(6, '0')}${count.toString(16).padStart(6, '0')}`;
}

function newDigest(): Buffer {
  return createHash('sha256').update(newId()).digest();
}

function newKey(change: Partial<KeyRecord> = {}): KeyRecord {
  const groupId = newId();
  return {
    keyId: newId(),
    accountId: newId(),
    groupId,
    groupName: `group ${groupId}`,
    platform: 'openai',
    models: undefined,
    multiplierPpm: 1_250_000,
    status: 'active',
    accountStatus: 'active',
    limits: [],
    ...change,
  };
}

/** The promises of `AccountDirectory`, the same for every driver. */
export function accountDirectoryContract(name: string, open: () => Promise<DirectoryDriver<AccountDirectory>>): void {
  describe(`AccountDirectory of ${name}`, () => {
    let driver: DirectoryDriver<AccountDirectory>;
    beforeAll(async () => {
      driver = await open();
    });
    afterAll(() => driver.close());

    it.each<[string, Partial<KeyRecord>]>([
      ['in good standing', {}],
      ['of each platform', { platform: 'anthropic' }],
      ['whose group sells some models', { platform: 'gemini', models: new Set(['gemini-2.5-pro', 'models with "quotes", commas', '__proto__']) }],
      ['whose group sells nothing', { models: new Set() }],
      ['that is free', { multiplierPpm: 0 }],
      ['that was disabled', { status: 'disabled' }],
      ['of a suspended account', { accountStatus: 'suspended' }],
    ])('finds a key %s, with all that it says', async (_title, change) => {
      const [digest, key] = [newDigest(), newKey(change)];
      await driver.tables.putKey(digest, key);
      expect(await driver.port.findKey(digest)).toEqual(key);
    });

    it('prefers the multiplier of the account to that of its group', async () => {
      const [digest, key] = [newDigest(), newKey()];
      await driver.tables.putKey(digest, key);
      await driver.tables.putMultiplier(key.accountId, key.groupId, 7);
      expect(await driver.port.findKey(digest)).toEqual({ ...key, multiplierPpm: 7 });
    });

    it('has the limits of account, user, key and group, each with what it counts for', async () => {
      const [digest, key, userId] = [newDigest(), newKey(), newId()];
      const { keyId, accountId, groupId } = key;
      await driver.tables.putKey(digest, key);
      await driver.tables.putLimits({ accountId }, { requestsPerMinute: 1 });
      await driver.tables.putLimits({ keyId }, { tokensPerMinute: 2_147_483_647 });
      await driver.tables.putLimits({ groupId }, { concurrentRequests: 3 });
      await driver.tables.putLimits({ userId, keyId }, { requestsPerMinute: 4, tokensPerMinute: 5, concurrentRequests: 6 });
      const { limits = [] } = (await driver.port.findKey(digest)) ?? {};
      expect([...limits].sort((one, other) => one.scope.localeCompare(other.scope))).toEqual([
        { scope: 'account', id: accountId, requestsPerMinute: 1 },
        { scope: 'group', id: groupId, concurrentRequests: 3 },
        { scope: 'key', id: keyId, tokensPerMinute: 2_147_483_647 },
        { scope: 'user', id: userId, requestsPerMinute: 4, tokensPerMinute: 5, concurrentRequests: 6 },
      ]);
    });

    it.each<[string, RequestLimits, object[]]>([
      ['replaces those of the group', { requestsPerMinute: 9 }, [{ requestsPerMinute: 9 }]],
      ['lifts them where it has none itself', {}, []],
    ])("has limits of the account in the group, which %s, as another account's do not", async (_title, limits, expected) => {
      const [digest, key] = [newDigest(), newKey()];
      const { accountId, groupId } = key;
      await driver.tables.putKey(digest, key);
      await driver.tables.putLimits({ groupId }, { requestsPerMinute: 5, concurrentRequests: 7 });
      const [otherDigest, other] = [newDigest(), newKey()];
      await driver.tables.putKey(otherDigest, other);
      await driver.tables.putLimits({ accountId: other.accountId, groupId }, { requestsPerMinute: 1 });
      const ofGroup = { scope: 'group', id: groupId };
      expect((await driver.port.findKey(digest))?.limits).toEqual([{ ...ofGroup, requestsPerMinute: 5, concurrentRequests: 7 }]);
      await driver.tables.putLimits({ accountId, groupId }, limits);
      expect((await driver.port.findKey(digest))?.limits).toEqual(expected.map((one) => ({ ...ofGroup, ...one })));
    });

    it('knows no key by a digest that differs in one bit', async () => {
      const digest = newDigest();
      await driver.tables.putKey(digest, newKey());
      const other = Buffer.from(digest);
      other.writeUInt8(other.readUInt8(31) ^ 1, 31);
      expect(await driver.port.findKey(other)).toBeUndefined();
    });

    it('tells a change with the next answer', async () => {
      const [digest, key] = [newDigest(), newKey()];
      expect(await driver.port.findKey(digest)).toBeUndefined();
      await driver.tables.putKey(digest, key);
      expect(await driver.port.findKey(digest)).toEqual(key);
      await driver.tables.putKey(digest, { ...key, status: 'disabled' });
      expect(await driver.port.findKey(digest)).toEqual({ ...key, status: 'disabled' });
    });

    it('answers many at once, each with its own key', async () => {
      const keys = Array.from({ length: 100 }, () => ({ digest: newDigest(), key: newKey() }));
      for (const { digest, key } of keys) await driver.tables.putKey(digest, key);
      expect(await Promise.all(keys.map(({ digest }) => driver.port.findKey(digest)))).toEqual(keys.map(({ key }) => key));
    });

    it('names all groups with what they sell', async () => {
      const groups: GroupRecord[] = [undefined, new Set<string>(), new Set(['a', 'b'])].map((models, index) => {
        const groupId = newId();
        return { groupId, name: `sold ${groupId}`, platform: (['openai', 'anthropic', 'gemini'] as const)[index] ?? 'openai', models };
      });
      for (const group of groups) await driver.tables.putGroup(group);
      expect(await driver.port.groups()).toEqual(expect.arrayContaining(groups));
    });

    it('fails when it cannot look, instead of saying that there is no such key', async () => {
      const digest = newDigest();
      await driver.tables.putKey(digest, newKey());
      await driver.tables.away(async () => {
        await expect(driver.port.findKey(digest)).rejects.toThrow();
        await expect(driver.port.groups()).rejects.toThrow();
      });
      expect(await driver.port.findKey(digest)).toBeDefined();
    });
  });
}

function newUpstream(change: Partial<Upstream> = {}): Upstream {
  const upstreamId = newId();
  return {
    upstreamId,
    name: `upstream ${upstreamId}`,
    platform: 'openai',
    baseUrl: 'https://api.example.com/base',
    credential: `sk-\\"ü\n${upstreamId}`,
    modelMapping: new Map(),
    priority: 0,
    ...change,
  };
}

/** The promises of `UpstreamDirectory`, the same for every driver. */
export function upstreamDirectoryContract(name: string, open: () => Promise<DirectoryDriver<UpstreamDirectory>>): void {
  describe(`UpstreamDirectory of ${name}`, () => {
    let driver: DirectoryDriver<UpstreamDirectory>;
    let groupId: string;
    beforeAll(async () => {
      driver = await open();
    });
    afterAll(() => driver.close());

    const newGroup = async (): Promise<void> => {
      groupId = newId();
      await driver.tables.putGroup({ groupId, name: `pool ${groupId}`, platform: 'openai', models: undefined });
    };

    it('has the upstreams of a group, the preferred first, credentials in the clear', async () => {
      await newGroup();
      const upstreams = [3, -1, 2].map((priority) => newUpstream({ priority }));
      for (const upstream of upstreams) await driver.tables.putUpstream(groupId, upstream);
      expect(await driver.port.upstreamsOf(groupId)).toEqual([upstreams[1], upstreams[2], upstreams[0]]);
    });

    it('keeps every name of a mapping as it is', async () => {
      await newGroup();
      const upstream = newUpstream({ modelMapping: new Map([['gpt-5', 'my-deployment'], ['constructor', 'one'], ['"', '\\']]) });
      await driver.tables.putUpstream(groupId, upstream);
      expect(await driver.port.upstreamsOf(groupId)).toEqual([upstream]);
    });

    it('leaves out disabled ones and those of other groups', async () => {
      await newGroup();
      await driver.tables.putUpstream(groupId, newUpstream());
      await newGroup();
      await driver.tables.putUpstream(groupId, newUpstream(), 'disabled');
      expect(await driver.port.upstreamsOf(groupId)).toEqual([]);
      const kept = newUpstream();
      await driver.tables.putUpstream(groupId, kept);
      expect(await driver.port.upstreamsOf(groupId)).toEqual([kept]);
    });

    it('has none for a group that is not known', async () => {
      expect(await driver.port.upstreamsOf(newId())).toEqual([]);
    });

    it('fails when it cannot look, instead of saying that there are none', async () => {
      await newGroup();
      await driver.tables.putUpstream(groupId, newUpstream());
      await driver.tables.away(async () => {
        await expect(driver.port.upstreamsOf(groupId)).rejects.toThrow();
      });
    });
  });
}

/** The promises of `Balances`, the same for every driver. */
export function balancesContract(name: string, open: () => Promise<DirectoryDriver<Balances>>): void {
  describe(`Balances of ${name}`, () => {
    let driver: DirectoryDriver<Balances>;
    beforeAll(async () => {
      driver = await open();
    });
    afterAll(() => driver.close());

    it.each<[string, WalletBalance]>([
      ['nothing', { seq: 0n, balanceNanoUsd: 0n }],
      ['one nano-USD', { seq: 1n, balanceNanoUsd: 1n }],
      ['more than a number can hold', { seq: 9_007_199_254_740_993n, balanceNanoUsd: 9_223_372_036_854_775_807n }],
    ])('has a wallet that holds %s', async (_title, balance) => {
      const accountId = newId();
      await driver.tables.putBalance(accountId, balance);
      expect(await driver.port.read(accountId)).toEqual(balance);
      expect(await driver.port.balanceOf(accountId)).toBe(balance.balanceNanoUsd);
    });

    it('has none, and 0, for an account that is not known', async () => {
      expect(await driver.port.read(newId())).toBeUndefined();
      expect(await driver.port.balanceOf(newId())).toBe(0n);
    });

    it('tells a change with the next answer', async () => {
      const accountId = newId();
      await driver.tables.putBalance(accountId, { seq: 1n, balanceNanoUsd: 5n });
      expect(await driver.port.balanceOf(accountId)).toBe(5n);
      await driver.tables.putBalance(accountId, { seq: 2n, balanceNanoUsd: 3n });
      expect(await driver.port.read(accountId)).toEqual({ seq: 2n, balanceNanoUsd: 3n });
    });

    it('fails when it cannot look: an unknown balance is not 0', async () => {
      const accountId = newId();
      await driver.tables.putBalance(accountId, { seq: 1n, balanceNanoUsd: 5n });
      await driver.tables.away(async () => {
        await expect(driver.port.balanceOf(accountId)).rejects.toThrow();
        await expect(driver.port.read(accountId)).rejects.toThrow();
      });
    });
  });
}

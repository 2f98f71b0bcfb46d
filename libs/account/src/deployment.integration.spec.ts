import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import type { QuickStartGroup } from './deployment.js';
import { AccountFeature } from './account-feature.js';
import { startLedgerDatabase } from './fixtures/ledger-database.js';
import type { LedgerDatabase } from './fixtures/ledger-database.js';
import { ledgerFaults } from './fixtures/ledger-faults.js';
import { Groups } from './groups.js';
import { keyDigest } from './key-digest.js';

let ledger: LedgerDatabase;
let feature: AccountFeature;
let keys: ReadonlyMap<string, string>;
const groups: QuickStartGroup[] = (['openai', 'anthropic', 'gemini'] as const).map((platform) => ({
  name: platform,
  platform,
  baseUrl: 'http://127.0.0.1:9000/',
  credential: `provider-credential-${platform}`,
}));
const withKnownKeys = (): QuickStartGroup[] => groups.map((group) => ({ ...group, knownKey: keys.get(group.name) }));

beforeAll(async () => {
  ledger = await startLedgerDatabase();
  feature = ledger.feature;
  const starts = await Promise.all([feature.deployment.ensureQuickstart(groups), feature.deployment.ensureQuickstart(groups)]);
  keys = starts.find(({ created }) => created)?.newKeys ?? new Map();
});
afterAll(() => ledger.stop());

const find = (key: string) => feature.directory.findKey(keyDigest(feature.parts.pepper, key));

describe('the first start', () => {
  it('makes three groups, one account with $10 and a key per group, once', async () => {
    const again = await feature.deployment.ensureQuickstart(withKnownKeys());
    expect(again.created).toBe(false);
    expect(again.newKeys.size).toBe(0);
    expect([...keys.keys()].sort()).toEqual(['anthropic', 'gemini', 'openai']);
    expect((await feature.directory.groups()).map(({ name, platform, models }) => [name, platform, models])).toEqual([
      ['anthropic', 'anthropic', undefined],
      ['gemini', 'gemini', undefined],
      ['openai', 'openai', undefined],
    ]);
    expect((await new Groups(feature.parts.database).list()).map(({ name, multiplierPpm }) => [name, multiplierPpm])).toEqual([
      ['anthropic', 1_000_000],
      ['gemini', 1_000_000],
      ['openai', 1_000_000],
    ]);
    const accounts = await feature.accounts.list({ after: undefined, limit: 10 });
    expect(accounts.map(({ name, balanceNanoUsd }) => [name, balanceNanoUsd])).toEqual([['demo', 10_000_000_000n]]);
    expect(await ledgerFaults(ledger.pool)).toEqual([]);
  });

  it('issues a key again for a group whose key the caller has lost, and leaves the lost one valid', async () => {
    const lost = withKnownKeys().map((group) => (group.name === 'openai' ? { ...group, knownKey: undefined } : group));
    const { newKeys } = await feature.deployment.ensureQuickstart(lost);
    expect([...newKeys.keys()]).toEqual(['openai']);
    expect(await find(newKeys.get('openai') ?? '')).toMatchObject({ groupName: 'openai', status: 'active' });
    expect(await find(keys.get('openai') ?? '')).toMatchObject({ status: 'active' });
  });

  it('leaves upstreams that later starts move to the group, address and credential', async () => {
    const groupId = (await feature.directory.groups()).find(({ name }) => name === 'openai')?.groupId ?? '';
    const [before] = await feature.upstreams.upstreamsOf(groupId);
    expect(before).toMatchObject({ name: 'openai', platform: 'openai', baseUrl: 'http://127.0.0.1:9000', credential: 'provider-credential-openai', priority: 0 });
    await feature.deployment.setGroupUpstream('openai', { baseUrl: 'http://127.0.0.1:9001', credential: 'provider-credential-openai' });
    await feature.deployment.setGroupUpstream('openai', { baseUrl: 'http://127.0.0.1:9001', credential: 'provider-credential-second' });
    await feature.deployment.setGroupUpstream('openai', { baseUrl: 'http://127.0.0.1:9001', credential: 'provider-credential-second' });
    expect(await feature.upstreams.upstreamsOf(groupId)).toEqual([{ ...before, baseUrl: 'http://127.0.0.1:9001', credential: 'provider-credential-second' }]);
    const { rows } = await ledger.pool.query(`SELECT after FROM account.audit_log WHERE action = 'upstream.changed' ORDER BY id`);
    expect(rows).toEqual([
      { after: { baseUrl: 'http://127.0.0.1:9001', credentialVersion: 1 } },
      { after: { baseUrl: 'http://127.0.0.1:9001', credentialVersion: 2 } },
    ]);
    await expect(feature.deployment.setGroupUpstream('none', { baseUrl: 'http://a.b', credential: 'c' })).rejects.toMatchObject({ code: 'not_found' });
    await expect(feature.deployment.setGroupUpstream('openai', { baseUrl: 'ftp://a.b', credential: 'c' })).rejects.toMatchObject({ code: 'invalid_request' });
    expect(await feature.upstreams.upstreamsOf(ledger.ids.next())).toEqual([]);
  });

  it('does not pass off upstreams as none when the sealing key is another', async () => {
    const groupId = (await feature.directory.groups())[0]?.groupId ?? '';
    const other = new AccountFeature({ ...feature.parts, sealingKey: randomBytes(32) });
    await expect(other.upstreams.upstreamsOf(groupId)).rejects.toThrow('does not open');
  });
});

describe('the directory of keys', () => {
  it('finds a key by its whole digest, with group and multiplier, and shows at once that it is disabled', async () => {
    const accountId = await ledger.fundedAccount(0n);
    const issued = await feature.keys.issue({ accountId, group: 'gemini', name: 'laptop', actor: 'test' });
    expect(await find(issued.key)).toEqual({
      keyId: issued.id,
      accountId,
      groupId: issued.groupId,
      groupName: 'gemini',
      platform: 'gemini',
      models: undefined,
      multiplierPpm: 1_000_000,
      status: 'active',
      accountStatus: 'active',
      limits: [],
    });
    await ledger.pool.query('INSERT INTO account.account_multipliers VALUES ($1, $2, 500000)', [accountId, issued.groupId]);
    await ledger.pool.query(`UPDATE account.groups SET models = '{a,b}', multiplier_ppm = 3 WHERE name = 'gemini'`);
    await ledger.pool.query(`UPDATE account.accounts SET status = 'suspended' WHERE id = $1`, [accountId]);
    await feature.keys.disable(issued.id, 'test');
    await feature.keys.disable(issued.id, 'test');
    expect(await find(issued.key)).toMatchObject({
      models: new Set(['a', 'b']),
      multiplierPpm: 500_000,
      status: 'disabled',
      accountStatus: 'suspended',
    });
    const { rows } = await ledger.pool.query(`SELECT count(*) FROM account.audit_log WHERE action = 'key.disabled' AND subject = $1`, [issued.id]);
    expect(rows).toEqual([{ count: 1n }]);
  });

  it('finds nothing for another key, a part of a digest, or the digest under another pepper', async () => {
    const key = keys.get('openai') ?? '';
    const digest = keyDigest(feature.parts.pepper, key);
    expect(await feature.directory.findKey(digest)).toBeDefined();
    expect(await find(`${key}x`)).toBeUndefined();
    expect(await feature.directory.findKey(digest.subarray(0, 20))).toBeUndefined();
    expect(await feature.directory.findKey(keyDigest(randomBytes(32), key))).toBeUndefined();
    expect(await feature.directory.findKey(Buffer.alloc(0))).toBeUndefined();
  });
});

describe('a stolen database', () => {
  it('holds no issued key and no credential in any column', async () => {
    const accountId = await ledger.fundedAccount(1n);
    const { key } = await feature.keys.issue({ accountId, group: 'openai', name: 'dump', actor: 'test' });
    const secrets = [...keys.values(), key, ...groups.map(({ credential }) => credential), 'provider-credential-second'];
    const { rows: columns } = await ledger.pool.query<{ table: string; column: string; type: string }>(
      `SELECT table_name AS "table", column_name AS "column", data_type AS type FROM information_schema.columns WHERE table_schema = 'account'`,
    );
    expect(columns.filter(({ type }) => type === 'bytea').length).toBeGreaterThan(2);
    for (const { table, column, type } of columns) {
      const text = type === 'bytea' ? `encode("${column}", 'escape')` : `"${column}"::text`;
      const { rows } = await ledger.pool.query<{ value: string | null }>(`SELECT ${text} AS value FROM account."${table}"`);
      for (const { value } of rows) {
        const leaked = secrets.some((secret) => value !== null && (value.includes(secret) || value.includes(secret.slice(3))));
        expect({ table, column, leaked }).toEqual({ table, column, leaked: false });
      }
    }
  });
});

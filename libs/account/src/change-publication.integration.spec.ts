import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { AccountChanged } from '@tokone/events';
import type { PoolClient } from '@tokone/persistence';
import { waitFor } from '@tokone/testing';
import type { AccountAlarm } from './account-alarm.js';
import { ChangePublication } from './change-publication.js';
import type { ChangePublisher } from './change-publication.js';
import { startLedgerDatabase } from './fixtures/ledger-database.js';
import type { LedgerDatabase } from './fixtures/ledger-database.js';

let ledger: LedgerDatabase;
let published: AccountChanged[];
let alarms: AccountAlarm[];
let running: ChangePublication[];

const toList: ChangePublisher = { publish: async (events) => void published.push(...events) };

beforeAll(async () => {
  ledger = await startLedgerDatabase();
});
afterAll(() => ledger.stop());
beforeEach(async () => {
  published = [];
  alarms = [];
  running = [];
  await ledger.pool.query('DELETE FROM account.changes');
});
afterEach(async () => {
  for (const publication of running) await publication.stop();
});

function start(publisher: ChangePublisher, deadlineMs = 3_000): ChangePublication {
  const publication = new ChangePublication({ pool: ledger.pool, publisher, raiseAlarm: (alarm) => alarms.push(alarm), pollMs: 10, deadlineMs });
  running.push(publication);
  publication.start();
  return publication;
}

async function eventsOf(work: () => Promise<unknown>): Promise<AccountChanged[]> {
  await ledger.pool.query('DELETE FROM account.changes');
  await work();
  const { rows } = await ledger.pool.query<{ event: AccountChanged }>('SELECT event FROM account.changes ORDER BY id');
  return rows.map(({ event }) => event);
}

async function rowCount(): Promise<number> {
  return (await ledger.pool.query('SELECT 1 FROM account.changes')).rowCount ?? 0;
}

async function changeSomething(times = 1): Promise<void> {
  for (let time = 0; time < times; time += 1) await addGroup(ledger.pool);
}

async function addGroup(client: Pick<PoolClient, 'query'>): Promise<string> {
  const id = ledger.ids.next();
  await client.query(`INSERT INTO account.groups (id, name, platform) VALUES ($1, $2, 'openai')`, [id, id]);
  return id;
}

/** A transaction beside the others, ended as `work` says. */
async function meanwhile(work: (client: PoolClient) => Promise<void>): Promise<void> {
  const client = await ledger.pool.connect();
  try {
    await client.query('BEGIN');
    await work(client);
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
}

function until(ask: () => boolean | Promise<boolean>): Promise<unknown> {
  return waitFor(ask, { what: 'the changes to be told', deadlineMs: 10_000, intervalMs: 10 });
}

type Change = [sql: string, values: unknown[], events: object[]];

/** Whoever's limits change, whatever is done to them. */
function limitChanges({ accountId, groupId, keyId, userId, keyDigest }: Record<'accountId' | 'groupId' | 'keyId' | 'userId' | 'keyDigest', string>): Change[] {
  const subjects: [string, string[], object][] = [
    ['account_id', [accountId], { kind: 'account', accountId }],
    ['group_id', [groupId], { kind: 'group', groupId }],
    ['account_id, group_id', [accountId, groupId], { kind: 'multiplier', accountId, groupId }],
    ['user_id', [userId], { kind: 'account', accountId }],
    ['key_id', [keyId], { kind: 'key', keyDigest, accountId, groupId }],
  ];
  return subjects.flatMap(([columns, ids, event]): Change[] => [
    [`INSERT INTO account.limits (requests_per_minute, ${columns}) VALUES (5, ${ids.map((_id, index) => `$${index + 1}`).join(', ')})`, ids, [event]],
    ['UPDATE account.limits SET requests_per_minute = 6', [], [event]],
    ['DELETE FROM account.limits', [], [event]],
  ]);
}

describe('what changes an account', () => {
  it('is told with what to forget: keys, accounts, groups, multipliers, upstreams', async () => {
    const { accounts, keys, deployment } = ledger.feature;
    const upstream = { baseUrl: 'https://one.example', credential: 'secret' };
    const { accountId } = await deployment.ensureQuickstart([{ name: 'OpenAI', platform: 'openai', ...upstream }]);
    const [group] = await ledger.feature.groups.list();
    const groupId = group?.id;
    let keyId = '';
    expect(await eventsOf(async () => void (keyId = (await keys.issue({ accountId, group: 'OpenAI', name: '', actor: 'test' })).id))).toMatchObject([{ kind: 'key', accountId, groupId }]);
    const { rows } = await ledger.pool.query<{ digest: Buffer }>('SELECT digest FROM account.keys WHERE id = $1', [keyId]);
    const keyDigest = rows[0]?.digest.toString('base64url');
    expect(await eventsOf(() => keys.disable(keyId, 'test'))).toMatchObject([{ kind: 'key', keyDigest, accountId, groupId }]);
    expect(await eventsOf(() => deployment.setGroupUpstream('OpenAI', { ...upstream, credential: 'another' }))).toEqual([
      { schema: 1, id: expect.any(String), at: expect.any(Number), traceparent: null, kind: 'upstream', groupId },
    ]);
    const userId = (await ledger.feature.users.create({ accountId, name: 'Ada', actor: 'test' })).id;
    const sql: Change[] = [
      [`UPDATE account.accounts SET status = 'suspended' WHERE id = $1`, [accountId], [{ kind: 'account', accountId }]],
      ['UPDATE account.groups SET multiplier_ppm = 5 WHERE id = $1', [groupId], [{ kind: 'group', groupId }]],
      ['INSERT INTO account.account_multipliers VALUES ($1, $2, 7)', [accountId, groupId], [{ kind: 'multiplier', accountId, groupId }]],
      ['DELETE FROM account.account_multipliers WHERE account_id = $1', [accountId], [{ kind: 'multiplier', accountId, groupId }]],
      ['DELETE FROM account.group_upstreams WHERE group_id = $1', [groupId], [{ kind: 'upstream', groupId }]],
      ...limitChanges({ accountId, groupId: groupId ?? '', keyId, userId, keyDigest: keyDigest ?? '' }),
      ['DELETE FROM account.keys WHERE id = $1', [keyId], [{ kind: 'key', keyDigest }]],
    ];
    for (const [text, values, expected] of sql) expect(await eventsOf(() => ledger.pool.query(text, values))).toMatchObject(expected);
    expect(await eventsOf(() => accounts.create('new', 'test'))).toEqual([]);
  });

  it('is told by events that anybody can read, each with an id of its own time', async () => {
    start(toList);
    await changeSomething(3);
    await until(() => published.length === 3);
    expect(new Set(published.map(({ id }) => id)).size).toBe(3);
    for (const { id, at } of published) {
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16)).toBe(at);
      expect(Math.abs(at - Date.now())).toBeLessThan(60_000);
    }
  });

  it('is not told when it was taken back', async () => {
    await meanwhile(async (client) => void (await addGroup(client)));
    expect(await rowCount()).toBe(0);
  });

  it('does not pile up where nobody publishes: a row of more than ten minutes goes with the next change', async () => {
    await changeSomething(150);
    await ledger.pool.query(`UPDATE account.changes SET created_at = now() - interval '11 minutes'`);
    await changeSomething();
    expect(await rowCount()).toBe(51);
    await changeSomething();
    expect(await rowCount()).toBe(2);
  });

  it('waits for nobody who holds an old row', async () => {
    await changeSomething();
    await ledger.pool.query(`UPDATE account.changes SET created_at = now() - interval '11 minutes'`);
    await meanwhile(async (client) => {
      await client.query('SELECT 1 FROM account.changes FOR UPDATE');
      await changeSomething();
    });
    expect(await rowCount()).toBe(2);
  });
});

describe('the publication of changes', () => {
  it('leaves nothing behind that was acknowledged', async () => {
    await changeSomething(2);
    start(toList);
    await until(async () => (await rowCount()) === 0);
    expect(published).toHaveLength(2);
  });

  it('tells again what was not acknowledged, with one alarm for a whole disturbance', async () => {
    let failures = 0;
    await changeSomething();
    start({
      async publish(events) {
        if (failures++ < 3) throw new Error('no broker');
        published.push(...events);
      },
    });
    await until(() => published.length === 1);
    await until(async () => (await rowCount()) === 0);
    expect(failures).toBe(4);
    expect(alarms).toMatchObject([{ kind: 'changes_not_published' }]);
  });

  it('does not hold its rows while the log is silent', async () => {
    await changeSomething();
    const silent = start({ publish: () => new Promise(() => undefined) }, 50);
    await until(() => alarms.length > 0);
    await silent.stop();
    expect(await rowCount()).toBe(1);
    start(toList);
    await until(() => published.length === 1);
  });

  it('shares the rows among replicas, none of them twice', async () => {
    await changeSomething(60);
    for (let replica = 0; replica < 3; replica += 1) start(toList);
    await changeSomething(60);
    await until(async () => (await rowCount()) === 0);
    expect(published).toHaveLength(120);
    expect(new Set(published.map(({ id }) => id)).size).toBe(120);
  });

  it('publishes what commits late, although later rows went before it', async () => {
    start(toList);
    let groupId = '';
    await meanwhile(async (client) => {
      groupId = await addGroup(client);
      await changeSomething(3);
      await until(() => published.length === 3);
      await client.query('COMMIT');
    });
    await until(() => published.length === 4);
    expect(published.at(-1)).toMatchObject({ kind: 'group', groupId });
  });
});

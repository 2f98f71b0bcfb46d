import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { GUARDS_METADATA } from '@nestjs/common/constants.js';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { AdmissionPosting } from '@tokone/admission';
import type { Waiver } from '@tokone/billing-client';
import { waitFor } from '@tokone/testing';
import { AccountModule } from '../account.module.js';
import type { BilledCharges } from '../billed-charges.js';
import { StatedDeployment } from '../fixtures/stated-deployment.js';
import type { ReconciliationService } from '../reconciliation/reconciliation-service.js';
import { startLedgerDatabase } from '../fixtures/ledger-database.js';
import type { LedgerDatabase } from '../fixtures/ledger-database.js';
import { keyDigest } from '../key-digest.js';
import { LedgerService } from '../ledger-service.js';
import { ChargePosting } from '../posting.js';
import { AccountsController } from './accounts.controller.js';
import { ChargesController } from './charges.controller.js';
import { GroupsController } from './groups.controller.js';
import { KeysController } from './keys.controller.js';
import { LimitsController } from './limits.controller.js';
import { ManagementErrorFilter } from './management-error.filter.js';
import { OperatorGuard } from './operator.guard.js';
import { ReconciliationController } from './reconciliation.controller.js';
import { UsersController } from './users.controller.js';

const TOKEN = 'operator-token-of-this-test-0123456789';
const explained = new Map<string, object>();
const waivers = new Map<string, Waiver>();
/** What billing was told to waive: id, who, why. */
const waived: string[][] = [];
const billed: BilledCharges = {
  explain: async (requestId) => explained.get(requestId),
  waive: async (requestId, { by, why }) => {
    waived.push([requestId, by, why]);
    return waivers.get(requestId) ?? 'unknown';
  },
};
let ledger: LedgerDatabase;
let stated: StatedDeployment;
let reconciliation: ReconciliationService;
let app: NestFastifyApplication;
let origin: string;
let pushed: AdmissionPosting[];

beforeAll(async () => {
  ledger = await startLedgerDatabase();
  pushed = [];
  const service = new LedgerService({
    feature: ledger.feature,
    admission: { post: async (posting) => void pushed.push(posting) },
    view: { unposted: () => [] },
    charges: { consume: async () => ({ caughtUp: async () => {}, stop: async () => {} }) },
  });
  await ledger.feature.deployment.ensureQuickstart([
    { name: 'openai', platform: 'openai', baseUrl: 'http://127.0.0.1:1', credential: 'none' },
  ]);
  stated = new StatedDeployment(ledger);
  reconciliation = stated.service();
  const module = AccountModule.with({
    feature: ledger.feature,
    ledger: service,
    reconciliation,
    operatorToken: TOKEN,
    billed,
  });
  app = await NestFactory.create<NestFastifyApplication>(module, new FastifyAdapter(), { logger: false });
  app.useGlobalFilters(app.get(ManagementErrorFilter));
  await app.listen(0, '127.0.0.1');
  origin = await app.getUrl();
});
afterAll(async () => {
  await app.close();
  await reconciliation.stop();
  await ledger.stop();
});

/** The fields of all answers together: a spec asserts those of its route. */
interface Answer {
  id: string;
  key: string;
  name: string;
  balance: string;
  next: string | null;
  items: Answer[];
  error: { code: string; message: string };
  report: Record<string, unknown> | null;
  limits: Record<string, unknown> | null;
}

/** `route` is the method and the path. */
async function call(route: string, body?: unknown, headers: Record<string, string> = {}): Promise<{ status: number; body: Answer }> {
  const [method = '', path = ''] = route.split(' ');
  const response = await fetch(origin + path, {
    method,
    headers: { authorization: `Bearer ${TOKEN}`, ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    signal: AbortSignal.timeout(10_000),
  });
  return { status: response.status, body: (await response.json()) as Answer };
}

describe('the management API', () => {
  it.each([
    ['GET', '/api/v1/accounts'],
    ['POST', '/api/v1/accounts'],
    ['GET', '/api/v1/accounts/x'],
    ['POST', '/api/v1/accounts/x/top-ups'],
    ['GET', '/api/v1/keys'],
    ['POST', '/api/v1/keys'],
    ['POST', '/api/v1/keys/x/disable'],
    ['GET', '/api/v1/users'],
    ['POST', '/api/v1/users'],
    ['GET', '/api/v1/limits'],
    ['PUT', '/api/v1/limits'],
    ['DELETE', '/api/v1/limits'],
    ['GET', '/api/v1/groups'],
    ['GET', '/api/v1/charges/x'],
    ['POST', '/api/v1/charges/x/waive'],
  ])('refuses %s %s without the operator token', async (method, path) => {
    for (const authorization of ['', 'Bearer', `Bearer ${TOKEN}x`, `Bearer ${TOKEN.slice(0, -1)}`, `Basic ${TOKEN}`, TOKEN]) {
      const { status, body } = await call(`${method} ${path}`, method === 'POST' || method === 'PUT' ? {} : undefined, { authorization });
      expect({ authorization, status, code: body.error.code }).toEqual({ authorization, status: 401, code: 'unauthorized' });
    }
  });

  it('makes an account, tops it up, and shows its balance in USD', async () => {
    const created = await call('POST /api/v1/accounts', { name: ' Ada ' });
    expect(created).toMatchObject({ status: 201, body: { name: 'Ada', status: 'active', balance: '0.00' } });
    const { id } = created.body;
    const topUp = await call(`POST /api/v1/accounts/${id}/top-ups`, { amount: '12.5', memo: 'first' });
    expect(topUp).toEqual({ status: 200, body: { id: expect.any(String), accountId: id, amount: '12.50', balance: '12.50' } });
    expect(pushed).toEqual([{ accountId: id, seq: 1n, balanceNanoUsd: 12_500_000_000n, requestIds: [] }]);
    const repeated = await call(`POST /api/v1/accounts/${id}/top-ups`, { id: topUp.body.id, amount: '12.5', memo: 'first' });
    expect(repeated.body).toEqual(topUp.body);
    const other = await call(`POST /api/v1/accounts/${id}/top-ups`, { id: topUp.body.id, amount: '13' });
    expect(other).toMatchObject({ status: 409, body: { error: { code: 'conflict' } } });
    expect((await call(`GET /api/v1/accounts/${id}`)).body).toMatchObject({ id, name: 'Ada', balance: '12.50' });
  });

  it('lists accounts in pages', async () => {
    await call('POST /api/v1/accounts', { name: 'one more' });
    const names: string[] = [];
    let next: string | null = null;
    do {
      const { body }: { body: Answer } = await call(`GET /api/v1/accounts?limit=1${next ? `&after=${next}` : ''}`);
      names.push(...body.items.map(({ name }) => name));
      next = body.next;
    } while (next !== null);
    expect(names[0]).toBe('demo');
    expect(new Set(names).size).toBe((await call('GET /api/v1/accounts')).body.items.length);
  });

  it('issues a key that works, shows it once, and disables it', async () => {
    const { body: account } = await call('POST /api/v1/accounts', { name: 'Grace' });
    const issued = await call('POST /api/v1/keys', { account: account.id, group: 'openai', name: 'ci' });
    expect(issued).toMatchObject({ status: 201, body: { key: expect.stringMatching(/^sk-[\w-]{43}$/), name: 'ci' } });
    const { id, key } = issued.body;
    const digest = keyDigest(ledger.feature.parts.pepper, key);
    expect(await ledger.feature.directory.findKey(digest)).toMatchObject({ keyId: id, accountId: account.id, status: 'active' });
    const list = await call(`GET /api/v1/keys?account=${account.id}`);
    expect(list.body.items).toMatchObject([{ id, group: 'openai', name: 'ci', lastFour: key.slice(-4), status: 'active' }]);
    expect(JSON.stringify(list.body)).not.toContain(key.slice(3, -4));
    expect(await call(`POST /api/v1/keys/${id}/disable`)).toMatchObject({ status: 200, body: { id, status: 'disabled' } });
    expect(await ledger.feature.directory.findKey(digest)).toMatchObject({ status: 'disabled' });
  });

  it('makes users of an account, and keys for them alone', async () => {
    const [{ body: account }, { body: other }] = [await call('POST /api/v1/accounts', { name: 'Lovelace' }), await call('POST /api/v1/accounts', { name: 'other' })];
    const user = await call('POST /api/v1/users', { account: account.id, name: 'Ada' });
    expect(user).toMatchObject({ status: 201, body: { id: expect.any(String), accountId: account.id, name: 'Ada' } });
    expect(await call('POST /api/v1/users', { account: account.id, name: 'Ada' })).toMatchObject({ status: 409, body: { error: { code: 'conflict', message: expect.stringContaining('"Ada"') } } });
    expect((await call('POST /api/v1/users', { account: other.id, name: 'Ada' })).status).toBe(201);
    expect((await call(`GET /api/v1/users?account=${account.id}`)).body.items).toEqual([user.body]);
    const issued = await call('POST /api/v1/keys', { account: account.id, group: 'openai', user: user.body.id });
    expect(issued).toMatchObject({ status: 201, body: { userId: user.body.id } });
    expect((await call(`GET /api/v1/keys?account=${account.id}`)).body.items).toMatchObject([{ id: issued.body.id, userId: user.body.id }]);
    expect(await call('POST /api/v1/keys', { account: other.id, group: 'openai', user: user.body.id })).toMatchObject({ status: 404, body: { error: { message: `There is no user of this account "${user.body.id}".` } } });
  });

  it('sets, shows and clears limits of account, user, key, group, and account in a group', async () => {
    const { body: account } = await call('POST /api/v1/accounts', { name: 'Limited' });
    const { body: user } = await call('POST /api/v1/users', { account: account.id, name: 'u' });
    const { body: key } = await call('POST /api/v1/keys', { account: account.id, group: 'openai', user: user.id });
    const limitsOfKey = async () => (await ledger.feature.directory.findKey(keyDigest(ledger.feature.parts.pepper, key.key)))?.limits;
    for (const [query, scope] of [[`account=${account.id}`, 'account'], [`user=${user.id}`, 'user'], [`key=${key.id}`, 'key'], ['group=openai', 'group'], [`account=${account.id}&group=openai`, 'group']] as const) {
      const subject = Object.fromEntries(new URLSearchParams(query));
      expect(await call(`GET /api/v1/limits?${query}`)).toEqual({ status: 200, body: { ...subject, limits: null } });
      const set = await call(`PUT /api/v1/limits?${query}`, { requestsPerMinute: 60, tokensPerMinute: null });
      expect(set).toEqual({ status: 200, body: { ...subject, limits: { requestsPerMinute: 60, tokensPerMinute: null, concurrentRequests: null } } });
      expect(await limitsOfKey()).toMatchObject([{ scope, requestsPerMinute: 60 }]);
      // Set anew, it is what the last one says.
      await call(`PUT /api/v1/limits?${query}`, { concurrentRequests: 2_147_483_647 });
      expect(await limitsOfKey()).toEqual([{ scope, id: expect.any(String), concurrentRequests: 2_147_483_647 }]);
      expect(await call(`DELETE /api/v1/limits?${query}`)).toEqual({ status: 200, body: { ...subject, limits: null } });
      expect(await limitsOfKey()).toEqual([]);
    }
  });

  it('lets an account have no limits in a group that has some, until that is cleared', async () => {
    const { body: account } = await call('POST /api/v1/accounts', { name: 'Favoured' });
    const { body: key } = await call('POST /api/v1/keys', { account: account.id, group: 'openai' });
    const limitsOfKey = async () => (await ledger.feature.directory.findKey(keyDigest(ledger.feature.parts.pepper, key.key)))?.limits;
    await call('PUT /api/v1/limits?group=openai', { requestsPerMinute: 5 });
    const lifted = await call(`PUT /api/v1/limits?account=${account.id}&group=openai`, {});
    expect(lifted.body.limits).toEqual({ requestsPerMinute: null, tokensPerMinute: null, concurrentRequests: null });
    expect(await limitsOfKey()).toEqual([]);
    await call(`DELETE /api/v1/limits?account=${account.id}&group=openai`);
    expect(await limitsOfKey()).toMatchObject([{ scope: 'group', requestsPerMinute: 5 }]);
    await call('PUT /api/v1/limits?group=openai', {});
    expect((await call('GET /api/v1/limits?group=openai')).body.limits).toBeNull();
  });

  it('lists groups', async () => {
    const { body } = await call('GET /api/v1/groups');
    expect(body.items).toMatchObject([{ name: 'openai', platform: 'openai', models: null, multiplierPpm: 1_000_000 }]);
  });

  it('explains a charge from ledger and billing, as far as each knows it', async () => {
    const accountId = await ledger.fundedAccount(1_000_000_000n);
    const charge = ledger.charge(accountId, 250_000_000n, 200_000_000n);
    expect((await call(`GET /api/v1/charges/${charge.id}`)).status).toBe(404);
    explained.set(charge.id, { model: 'gpt' });
    expect((await call(`GET /api/v1/charges/${charge.id}`)).body).toEqual({ id: charge.id, usage: { model: 'gpt' }, transfer: null });
    await new ChargePosting(ledger.pool, () => {}).post([charge]);
    expect((await call(`GET /api/v1/charges/${charge.id}`)).body).toMatchObject({
      usage: { model: 'gpt' },
      transfer: {
        kind: 'charge',
        amount: '0.25',
        granted: '0.20',
        entries: [
          { ledgerAccount: 'wallet', seq: '2', amount: '-0.20', balanceAfter: '0.80' },
          { ledgerAccount: 'write_off', amount: '-0.05' },
          { ledgerAccount: 'revenue', amount: '0.25' },
        ],
      },
    });
  });

  it('lets a parked request cost nothing, says who and why to billing, and shows it', async () => {
    const [parked, rated] = [ledger.ids.next(), ledger.ids.next()];
    explained.set(parked, { model: 'gpt', waived: {} });
    for (const [requestId, waiver] of [[parked, 'waived'], [rated, 'rated']] as const) waivers.set(requestId, waiver);
    expect(await call(`POST /api/v1/charges/${parked}/waive`, { why: ' a defect ' })).toEqual({ status: 200, body: { id: parked, usage: { model: 'gpt', waived: {} }, transfer: null } });
    expect(waived).toEqual([[parked, 'operator', 'a defect']]);
    waivers.set(parked, 'waived_before');
    expect((await call(`POST /api/v1/charges/${parked}/waive`, { why: 'a defect' })).status).toBe(200);
    expect(await call(`POST /api/v1/charges/${rated}/waive`, { why: 'x' })).toMatchObject({ status: 409, body: { error: { message: expect.stringContaining('has its charge') } } });
    waivers.set(rated, 'unreadable');
    expect(await call(`POST /api/v1/charges/${rated}/waive`, { why: 'x' })).toMatchObject({ status: 409, body: { error: { message: expect.stringContaining('can be read no longer') } } });
    expect((await call(`POST /api/v1/charges/${ledger.ids.next()}/waive`, { why: 'x' })).status).toBe(404);
    const { rows } = await ledger.pool.query(`SELECT subject, after FROM account.audit_log WHERE action = 'charge.waived' ORDER BY id`);
    expect(rows).toEqual(['waived', 'waived_before'].map((answer) => ({ subject: parked, after: { why: 'a defect', answer } })));
  });

  const unknown = '01940000-0000-7000-8000-00000000ffff';
  it.each([
    ['POST', '/api/v1/accounts', {}, 400, 'name'],
    ['POST', '/api/v1/accounts', { name: '  ' }, 400, 'name'],
    ['POST', '/api/v1/accounts', { name: 'a\u0000b' }, 400, 'name'],
    ['POST', '/api/v1/accounts', { name: 'x'.repeat(101) }, 400, 'name'],
    ['POST', '/api/v1/accounts', { name: 'a', balance: '5' }, 400, 'balance'],
    ['POST', '/api/v1/accounts', '{"name":', 400, ''],
    ['POST', '/api/v1/accounts', '[]', 400, ''],
    ['POST', `/api/v1/accounts/${unknown}/top-ups`, { amount: 5 }, 400, 'amount'],
    ['POST', `/api/v1/accounts/${unknown}/top-ups`, { amount: '1e3' }, 400, 'amount'],
    ['POST', `/api/v1/accounts/${unknown}/top-ups`, { amount: '-1' }, 400, 'amount'],
    ['POST', `/api/v1/accounts/${unknown}/top-ups`, { amount: '0' }, 400, 'amount'],
    ['POST', `/api/v1/accounts/${unknown}/top-ups`, { amount: '1', id: 'x' }, 400, 'id'],
    ['POST', `/api/v1/accounts/${unknown}/top-ups`, { amount: '1' }, 404, unknown],
    ['GET', '/api/v1/accounts/x', undefined, 400, ''],
    ['GET', `/api/v1/accounts/${unknown}`, undefined, 404, unknown],
    ['GET', '/api/v1/accounts?limit=0', undefined, 400, 'limit'],
    ['GET', '/api/v1/accounts?limit=x', undefined, 400, 'limit'],
    ['GET', '/api/v1/accounts?sort=x', undefined, 400, 'sort'],
    ['GET', '/api/v1/keys?account=x', undefined, 400, 'account'],
    ['POST', '/api/v1/keys', { account: unknown, group: 'openai' }, 404, unknown],
    ['POST', '/api/v1/keys', { account: unknown }, 400, 'group'],
    ['POST', `/api/v1/keys/${unknown}/disable`, undefined, 404, unknown],
    ['POST', '/api/v1/users', { account: unknown, name: 'x' }, 404, unknown],
    ['POST', '/api/v1/users', { account: unknown }, 400, 'name'],
    ['GET', '/api/v1/users', undefined, 400, 'account'],
    ['GET', '/api/v1/limits', undefined, 400, 'account and a group'],
    ['GET', `/api/v1/limits?user=${unknown}&key=${unknown}`, undefined, 400, 'account and a group'],
    ['GET', `/api/v1/limits?user=${unknown}&group=openai`, undefined, 400, 'account and a group'],
    ['GET', `/api/v1/limits?account=${unknown}`, undefined, 404, unknown],
    ['PUT', `/api/v1/limits?user=${unknown}`, {}, 404, unknown],
    ['DELETE', `/api/v1/limits?key=${unknown}`, undefined, 404, unknown],
    ['GET', '/api/v1/limits?group=nope', undefined, 404, 'nope'],
    ['PUT', '/api/v1/limits?group=openai', { requestsPerMinute: 0 }, 400, 'requestsPerMinute'],
    ['PUT', '/api/v1/limits?group=openai', { tokensPerMinute: 2_147_483_648 }, 400, 'tokensPerMinute'],
    ['PUT', '/api/v1/limits?group=openai', { concurrentRequests: '5' }, 400, 'concurrentRequests'],
    ['PUT', '/api/v1/limits?group=openai', { rpm: 5 }, 400, 'rpm'],
    ['GET', '/api/v1/nothing', undefined, 404, ''],
  ])('answers %s %s %j with %i, naming %s', async (method, path, body, status, named) => {
    const answer = await call(`${method} ${path}`, body);
    expect(answer).toEqual({ status, body: { error: { code: status === 404 ? 'not_found' : 'invalid_request', message: expect.any(String) } } });
    expect(answer.body.error.message).toContain(named);
  });

  it('names the group that does not exist', async () => {
    const { body: account } = await call('POST /api/v1/accounts', { name: 'x' });
    expect(await call('POST /api/v1/keys', { account: account.id, group: 'nope' })).toMatchObject({
      status: 404,
      body: { error: { message: 'There is no group "nope".' } },
    });
  });

  it('tells the alarm, not the caller, what went wrong inside', async () => {
    await ledger.pool.query('ALTER TABLE account.groups RENAME TO groups_away');
    ledger.alarms.length = 0;
    const answer = await call('GET /api/v1/groups');
    await ledger.pool.query('ALTER TABLE account.groups_away RENAME TO groups');
    expect(answer.status).toBe(500);
    expect(JSON.stringify(answer.body)).not.toContain('relation');
    expect(ledger.alarms).toMatchObject([{ kind: 'management_failed' }]);
  });

  it('begins a reconciliation, tells of one that runs, and keeps its report', async () => {
    expect(await call('GET /api/v1/reconciliation')).toEqual({ status: 200, body: { report: null, running: null } });
    expect((await call('POST /api/v1/reconciliation', { full: 'yes' })).status).toBe(400);
    const { promise: settled, resolve: settle } = Promise.withResolvers<boolean>();
    stated.settled = () => settled;
    const begun = await call('POST /api/v1/reconciliation', { full: true });
    expect(begun.status).toBe(202);
    expect(await call('POST /api/v1/reconciliation', {})).toMatchObject({ status: 409, body: { error: { code: 'conflict' } } });
    settle(true);
    const report = await waitFor(async () => (await call('GET /api/v1/reconciliation')).body.report ?? undefined, { what: 'the report', deadlineMs: 20_000 });
    // The ledger of this spec has charges, and its billing has rated none.
    expect(report).toMatchObject({ id: begun.body.id, full: true, state: 'wrong', checks: expect.arrayContaining([expect.objectContaining({ name: 'R3', state: 'wrong' })]) });
  });

  it('leaves an audit line for what operators change, without the key', async () => {
    const { rows } = await ledger.pool.query<{ action: string }>(`SELECT DISTINCT action FROM account.audit_log WHERE actor = 'operator' ORDER BY action`);
    expect(rows.map(({ action }) => action)).toEqual(['account.created', 'account.topped_up', 'charge.waived', 'key.created', 'key.disabled', 'limits.cleared', 'limits.set', 'user.created']);
  });

  it('guards every route of every controller', () => {
    const { controllers } = AccountModule.with({ feature: ledger.feature, ledger: {} as LedgerService, reconciliation, operatorToken: TOKEN, billed });
    expect(controllers).toEqual(expect.arrayContaining([AccountsController, KeysController, UsersController, LimitsController, GroupsController, ChargesController, ReconciliationController]));
    for (const controller of controllers ?? []) expect(Reflect.getMetadata(GUARDS_METADATA, controller)).toEqual([OperatorGuard]);
  });

  it('does not start with an operator token that can be guessed', () => {
    const options = { feature: ledger.feature, ledger: {} as LedgerService, reconciliation, billed };
    expect(() => AccountModule.with({ ...options, operatorToken: 'short' })).toThrow('operator token');
  });
});

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { RedisStore } from '@tokone/redis';
import { silentLogger } from '@tokone/telemetry';
import { testServers } from '@tokone/testing';
import type { AuditedAccount } from '../admission-audit.js';
import { RedisAccounts } from './redis-accounts.js';
import { RedisAdmissionAudit } from './redis-admission-audit.js';

let store: RedisStore;
beforeAll(async () => {
  store = new RedisStore({ url: await testServers().redis(), clientName: 'audit-spec', logger: silentLogger, now: () => performance.now(), deadlineMs: 2_000 });
  await store.untilConnected(10_000);
});
afterAll(() => store.close());

it('names every account that is open, with its records; not one that is being opened', async () => {
  const accounts = new RedisAccounts(store, `audit:${randomUUID()}:`);
  const [open, opening] = [randomUUID(), randomUUID()];
  const begin = { token: 'spec.1', replica: 'spec', staleMs: 0 };
  await accounts.begin(open, begin);
  await accounts.open(open, 'spec.1', { seq: 4n, balanceNanoUsd: 100n });
  await accounts.begin(opening, begin);
  const [held, over] = [randomUUID(), randomUUID()];
  const rule = { inputNanoUsd: 10n, worstNanoUsd: 10n, firstStepNanoUsd: 0n, mode: 'limit_stated' as const };
  for (const requestId of [held, over]) await accounts.reserve(open, { requestId, owner: 'gateway', leaseMs: 30_000, rule });
  await accounts.settle(open, { requestId: over, costNanoUsd: 7n, heldNanoUsd: 10n });
  const all: AuditedAccount[] = [];
  for await (const page of new RedisAdmissionAudit(accounts).pages()) all.push(...page);
  expect(all).toEqual([
    {
      accountId: open,
      seq: 4n,
      limitNanoUsd: 100n,
      heldNanoUsd: 10n,
      settledNanoUsd: 7n,
      records: [
        { requestId: held, state: 'held', amountNanoUsd: 10n, ageMs: expect.any(Number), leaseMs: 30_000 },
        { requestId: over, state: 'settled', amountNanoUsd: 7n, ageMs: expect.any(Number) },
      ],
    },
  ]);
  for (const { ageMs } of all[0]?.records ?? []) expect(ageMs).toBeLessThan(10_000);
});

it('names all others when a key holds no account, and then says so', async () => {
  const prefix = `audit:${randomUUID()}:`;
  const accounts = new RedisAccounts(store, prefix);
  const [sound, other, damaged, strange] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()];
  for (const accountId of [sound, other, damaged]) {
    await accounts.begin(accountId, { token: 'spec.1', replica: 'spec', staleMs: 0 });
    await accounts.open(accountId, 'spec.1', { seq: 1n, balanceNanoUsd: 100n });
  }
  const write = (lua: string, accountId: string): Promise<unknown> => store.run({ name: 'damage', lua }, `${prefix}{${accountId}}`, []);
  await write("redis.call('HSET', KEYS[1], 'lim', 'much') return {}", damaged);
  await write("redis.call('SET', KEYS[1], 'of somebody else') return {}", strange);
  const ids: string[] = [];
  const read = async (): Promise<void> => {
    for await (const page of new RedisAdmissionAudit(accounts).pages()) ids.push(...page.map(({ accountId }) => accountId));
  };
  await expect(read()).rejects.toThrow(/^accounts that could not be read: 2; the first is [0-9a-f-]{36}: .+/);
  expect(ids.sort()).toEqual([sound, other].sort());
});

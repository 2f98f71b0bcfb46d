import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { MOST_LIMIT_NANO_USD, RedisAccounts, RedisAdmission, RedisAdmissionAudit, readStoredAccount } from '@tokone/admission';
import { RedisStore } from '@tokone/redis';
import { silentLogger } from '@tokone/telemetry';
import { testServers } from '@tokone/testing';
import { startLedgerDatabase } from '../fixtures/ledger-database.js';
import type { LedgerDatabase } from '../fixtures/ledger-database.js';
import { PostgresGatewayRegistry } from '../gateway-registry.js';
import { ChargePosting } from '../posting.js';
import { checkAdmission } from '../reconciliation/admission-comparison.js';
import { Findings } from '../reconciliation/check-report.js';
import { TopUps } from '../top-ups.js';
import { AccountOpenings } from './account-openings.js';
import { CappedBalances } from './capped-balances.js';
import { FirstOpenings } from './first-openings.js';
import { RedisPosts } from './redis-posts.js';

const USD = 1_000_000_000n;
/** More than a double tells exactly. */
const BALANCE_NANO_USD = 10_000_000n * USD;
const MOST_AT_ONCE_NANO_USD = 1_000_000n * USD;
const now = (): number => performance.now();

let database: LedgerDatabase;
let store: RedisStore;

beforeAll(async () => {
  database = await startLedgerDatabase();
  store = new RedisStore({ url: await testServers().redis(), clientName: 'capped-spec', logger: silentLogger, now, deadlineMs: 2_000 });
  await store.untilConnected(10_000);
});
afterAll(async () => {
  await store.close();
  await database.stop();
});

async function richAccount(amountNanoUsd: bigint): Promise<string> {
  const { pool, feature, ids } = database;
  const accountId = await database.fundedAccount(0n);
  const topUps = new TopUps(pool, { post: async () => undefined }, feature.parts.raiseAlarm);
  for (let left = amountNanoUsd; left > 0n; left -= MOST_AT_ONCE_NANO_USD) {
    await topUps.topUp({ id: ids.next(), accountId, amountNanoUsd: left < MOST_AT_ONCE_NANO_USD ? left : MOST_AT_ONCE_NANO_USD, actor: 'test' });
  }
  return accountId;
}

it('an account of 10,000,000 USD is opened, told its postings and served, up to what Redis counts exactly; that is told once, and R4 is right', async () => {
  const { pool, feature } = database;
  const accounts = new RedisAccounts(store, `capped:${randomUUID()}:`);
  const told: string[] = [];
  const capped = new CappedBalances((accountId) => void told.push(accountId));
  const clients = { announce: () => Promise.reject(new Error('no gateway is asked')) };
  const openings = new AccountOpenings({ accounts, gateways: new PostgresGatewayRegistry(pool), clients, fence: { pass: async () => ({ passed: true }) }, firstOpenings: new FirstOpenings(pool), balances: feature.balances, capped, raiseAlarm: feature.parts.raiseAlarm, now, pause, replica: randomUUID(), onTrouble: (error) => void told.push(String(error)) });
  const admission = new RedisAdmission({ accounts, store, opener: openings, gatewayId: randomUUID(), now });
  const stored = async () => readStoredAccount(await accounts.fieldsOf(accountId));
  const reserve = (amountNanoUsd: bigint, requestId: string = randomUUID()) => admission.reserve({ accountId, requestId, amount: { inputNanoUsd: amountNanoUsd, worstNanoUsd: amountNanoUsd, firstStepNanoUsd: 0n, mode: 'limit_stated' } });
  const accountId = await richAccount(BALANCE_NANO_USD);
  const whole = await richAccount(MOST_LIMIT_NANO_USD);
  admission.start();
  try {
    const charge = database.charge(accountId, 5n * USD);
    expect(await reserve(5n * USD, charge.id)).toMatchObject({ status: 'held' });
    await openings.open([whole], 5_000);
    expect(told).toEqual([accountId]);
    expect(await stored()).toMatchObject({ seq: 10n, limitNanoUsd: MOST_LIMIT_NANO_USD, heldNanoUsd: 5n * USD });

    await admission.settle(accountId, { requestId: charge.id, costNanoUsd: 5n * USD, heldNanoUsd: 5n * USD });
    await new ChargePosting(pool, feature.parts.raiseAlarm).post([charge]);
    const wallet = await database.wallet(accountId);
    await new RedisPosts({ accounts, capped }).post({ accountId, ...wallet, requestIds: [charge.id] });
    expect(wallet.balanceNanoUsd).toBe(BALANCE_NANO_USD - 5n * USD);
    expect(await stored()).toMatchObject({ seq: wallet.seq, limitNanoUsd: MOST_LIMIT_NANO_USD, settledNanoUsd: 0n });
    expect(told).toEqual([accountId]);

    expect(await reserve(MOST_LIMIT_NANO_USD + 1n)).toMatchObject({ status: 'insufficient_balance', availableNanoUsd: MOST_LIMIT_NANO_USD });
    expect(await reserve(MOST_LIMIT_NANO_USD)).toMatchObject({ status: 'held', holdNanoUsd: MOST_LIMIT_NANO_USD });
    const findings = new Findings();
    await checkAdmission({ pool, audit: new RedisAdmissionAudit(accounts), secondLookMs: 1 }, findings);
    expect(findings.subjects).toEqual([]);
  } finally {
    await admission.stop();
    await openings.stop();
  }
});

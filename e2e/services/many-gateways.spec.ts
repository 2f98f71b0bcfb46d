import { Agent } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { FLAT_MODELS, waitFor } from '@tokone/testing';
import type { RawAnswer, ServicesProcess } from '@tokone/testing';
import { Redis } from 'ioredis';
import { PricedDeployment } from '../fixtures/priced-deployment.js';

const GATEWAYS = 3;
const ACCOUNTS = 30;
const REQUESTS_PER_ACCOUNT = 100;
const COVERED_PER_ACCOUNT = 10;
/** A thousand tokens of a flat model cost $0.05, which is what is held for them. */
const CALL_NANO_USD = 50_000_000n;
const BALANCE_USD = String(COVERED_PER_ACCOUNT * 0.05);
const DELAY_MS = 500;
const SPENT = ['402 insufficient_balance', '429 balance_held'];
/** Three thousand clients and all services share two processors. */
const PATIENCE = { TOKONE_ADMISSION_TIMEOUT_MS: '5000' };

type Answer = RawAnswer & { accountId: string };

let deployment: PricedDeployment;
beforeAll(async () => {
  deployment = await PricedDeployment.start({ gateways: GATEWAYS, env: PATIENCE });
}, 300_000);
afterAll(async () => {
  expect(await deployment.stop()).toBe(0);
}, 120_000);

describe(`${GATEWAYS} gateways on one admission`, () => {
  it(`F17: serve exactly what ${ACCOUNTS} balances cover of ${ACCOUNTS * REQUESTS_PER_ACCOUNT} requests at once, a tenth, and leave no hold`, async () => {
    const { tenants, answers } = await askAll(DELAY_MS);
    expect(new Set([...refusalsOf(answers), ...SPENT])).toEqual(new Set(SPENT));
    for (const { accountId } of tenants) {
      expect(servedTo(accountId, answers)).toBe(COVERED_PER_ACCOUNT);
      expect(await deployment.ledger.balanceOf(accountId)).toBe(0n);
    }
    await expectNothingLeft();
    expect(await gatewaysThatServed()).toBe(GATEWAYS);
    expect(await deployment.moneyFaults()).toEqual([]);
  }, 240_000);

  it('K15: never serve more than that when Redis forgets all accounts while they do it', async () => {
    const asked = askAll(4 * DELAY_MS);
    await waitFor(async () => (await deployment.product.holds()).held >= ACCOUNTS * 2, { what: 'requests to be held', deadlineMs: 60_000, intervalMs: 20 });
    await forgetAllAccounts();
    const { tenants, answers } = await asked;
    const allowed = [...SPENT, '503 admission_unavailable'];
    expect(new Set([...refusalsOf(answers), ...allowed])).toEqual(new Set(allowed));
    for (const { accountId } of tenants) {
      const served = servedTo(accountId, answers);
      expect(served).toBeLessThanOrEqual(COVERED_PER_ACCOUNT);
      expect(await deployment.ledger.balanceOf(accountId)).toBe(BigInt(COVERED_PER_ACCOUNT - served) * CALL_NANO_USD);
    }
    await expectNothingLeft();
    expect(await deployment.moneyFaults()).toEqual([]);
  }, 240_000);
});

/** New tenants ask, all at once, for ten times what their balances cover. Resolves when everything is posted. */
async function askAll(delayMs: number): Promise<{ tenants: readonly { accountId: string }[]; answers: readonly Answer[] }> {
  const tenants = await Promise.all(Array.from({ length: ACCOUNTS }, () => deployment.product.tenant(BALANCE_USD, 'openai')));
  const agent = new Agent({ keepAlive: true, maxSockets: ACCOUNTS * REQUESTS_PER_ACCOUNT });
  const call = { model: FLAT_MODELS.openai, prompt: `[[sim: output-tokens=1000 delay-ms=${delayMs}]]`, outputLimit: 1_000, stream: false, agent };
  try {
    const calls = Array.from({ length: REQUESTS_PER_ACCOUNT }, () => tenants).flat();
    const answers = await Promise.all(calls.map(async ({ accountId, key }) => ({ accountId, ...(await deployment.call('openai', key, call)) })));
    await deployment.ledger.quiet();
    return { tenants, answers };
  } finally {
    agent.destroy();
  }
}

function refusalsOf(answers: readonly Answer[]): string[] {
  return answers.filter(({ status }) => status !== 200).map(({ status, text }) => `${status} ${(JSON.parse(text) as { error: { code: string } }).error.code}`);
}

function servedTo(accountId: string, answers: readonly Answer[]): number {
  return answers.filter((answer) => answer.accountId === accountId && answer.status === 200).length;
}

async function expectNothingLeft(): Promise<void> {
  expect(await deployment.ledger.writtenOff()).toBe(0n);
  expect(await deployment.product.holds()).toEqual({ running: 0, held: 0, settled: 0, heldNanoUsd: '0' });
}

/** What FLUSHALL does, to the part of a server that is this deployment's. */
async function forgetAllAccounts(): Promise<void> {
  const { url, prefix } = (deployment.product as ServicesProcess).redis;
  const redis = new Redis(url, { maxRetriesPerRequest: 1 });
  try {
    const keys = await redis.keys(`${prefix}*`);
    expect(keys.length).toBeGreaterThanOrEqual(ACCOUNTS);
    await redis.del(keys);
  } finally {
    redis.disconnect();
  }
}

/** Those that admitted at least a tenth of what was served. */
async function gatewaysThatServed(): Promise<number> {
  const gateways = (await deployment.product.managementListeners()).filter(({ app }) => app === 'gateway');
  const held = await Promise.all(
    gateways.map(async ({ url }) => {
      const text = await (await fetch(new URL('/metrics', url), { signal: AbortSignal.timeout(10_000) })).text();
      return Number(/^gw_admission_total\{result="held"\} (\d+)$/m.exec(text)?.[1] ?? 0);
    }),
  );
  return held.filter((count) => count >= (ACCOUNTS * COVERED_PER_ACCOUNT) / 10).length;
}

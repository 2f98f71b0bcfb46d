import { Agent } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { FLAT_MODELS } from '@tokone/testing';
import { PricedDeployment } from './priced-deployment.js';

const GATEWAYS = 3;
const ACCOUNTS = 30;
const REQUESTS_PER_ACCOUNT = 100;
const COVERED_PER_ACCOUNT = 10;
/** A thousand tokens of a flat model cost $0.05, which is what is held for them. */
const CALL = { model: FLAT_MODELS.openai, prompt: '[[sim: output-tokens=1000 delay-ms=500]]', outputLimit: 1_000, stream: false };
const BALANCE_USD = String(COVERED_PER_ACCOUNT * 0.05);
/** Three thousand clients and all services share two processors. */
const PATIENCE = { TOKONE_ADMISSION_TIMEOUT_MS: '5000' };

let deployment: PricedDeployment;
beforeAll(async () => {
  deployment = await PricedDeployment.start({ gateways: GATEWAYS, env: PATIENCE });
}, 300_000);
afterAll(async () => {
  expect(await deployment.stop()).toBe(0);
}, 120_000);

describe(`${GATEWAYS} gateways on one admission`, () => {
  it(`F17: serve exactly what ${ACCOUNTS} balances cover of ${ACCOUNTS * REQUESTS_PER_ACCOUNT} requests at once, a tenth, and leave no hold`, async () => {
    const tenants = await Promise.all(Array.from({ length: ACCOUNTS }, () => deployment.product.tenant(BALANCE_USD, 'openai')));
    const agent = new Agent({ keepAlive: true, maxSockets: ACCOUNTS * REQUESTS_PER_ACCOUNT });
    try {
      const calls = Array.from({ length: REQUESTS_PER_ACCOUNT }, () => tenants).flat();
      const answers = await Promise.all(calls.map(async ({ accountId, key }) => ({ accountId, ...(await deployment.call('openai', key, { ...CALL, agent })) })));
      const refusals = answers.filter(({ status }) => status !== 200).map(({ status, text }) => `${status} ${(JSON.parse(text) as { error: { code: string } }).error.code}`);
      expect(new Set([...refusals, '402 insufficient_balance', '429 balance_held'])).toEqual(new Set(['402 insufficient_balance', '429 balance_held']));
      for (const { accountId } of tenants) expect(answers.filter((answer) => answer.accountId === accountId && answer.status === 200)).toHaveLength(COVERED_PER_ACCOUNT);
      await deployment.ledger.quiet();
      for (const { accountId } of tenants) expect(await deployment.ledger.balanceOf(accountId)).toBe(0n);
      expect(await deployment.ledger.writtenOff()).toBe(0n);
      expect(await deployment.product.holds()).toEqual({ running: 0, held: 0, settled: 0, heldNanoUsd: '0' });
    } finally {
      agent.destroy();
    }
    expect(await gatewaysThatServed()).toBe(GATEWAYS);
    expect(await deployment.moneyFaults()).toEqual([]);
  }, 240_000);
});

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

// The least that says that the services work together; e2e/services and e2e/api/every-shape say the rest.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DIALECT_NAMES, FLAT_MODELS } from '@tokone/testing';
import { PricedDeployment, requestIdOf } from '../fixtures/priced-deployment.js';

/** A thousand tokens of a flat model cost $0.05. */
const CALL_NANO_USD = 50_000_000n;
const ONE_USD = 1_000_000_000n;

let deployment: PricedDeployment;
let exitCode: number | null | undefined;
beforeAll(async () => {
  deployment = await PricedDeployment.start({ gateways: 1 });
}, 240_000);
afterAll(async () => {
  if (exitCode === undefined) await deployment?.stop();
}, 120_000);

describe('the separate services', () => {
  it.each(DIALECT_NAMES)('serve one call of the dialect %s and charge exactly its cost', async (dialect) => {
    const { accountId, key } = await deployment.product.tenant('1', dialect);
    const answer = await deployment.call(dialect, key, { model: FLAT_MODELS[dialect], prompt: '[[sim: output-tokens=1000]]', stream: true, outputLimit: 1_000 });
    expect(answer.status).toBe(200);
    expect((await deployment.ledger.usageOf(requestIdOf(answer))).chargeNanoUsd).toBe(CALL_NANO_USD);
    await deployment.ledger.quiet();
    expect(await deployment.ledger.balanceOf(accountId)).toBe(ONE_USD - CALL_NANO_USD);
  });

  it('leave no fault in the money, and end in order', async () => {
    expect(await deployment.moneyFaults()).toEqual([]);
    exitCode = await deployment.stop();
    expect(exitCode).toBe(0);
  });
});

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ChildProgram, FLAT_MODELS, LedgerView, SimulatorProcess, callRaw, findMoneyFaults, flatNanoUsd, makeTemporaryFolder, startProduct, waitFor, writeCall } from '@tokone/testing';
import type { Product, TemporaryFolder, Tenant } from '@tokone/testing';

const MODEL = FLAT_MODELS.anthropic;
const TIERS = { default: [{ aboveInputTokens: 0, usdPerMillion: { input: '0', output: '50' } }] };

let folder: TemporaryFolder;
let simulator: SimulatorProcess;
let product: Product;
/** Requests that cost nothing because somebody said so. */
const waivedIds: string[] = [];

beforeAll(async () => {
  folder = await makeTemporaryFolder('parked');
  simulator = await SimulatorProcess.start({ SIMULATOR_CHUNK_DELAY_MS: '0' });
  product = await startWith({});
});
afterAll(async () => {
  await product.stop();
  await simulator.stop();
  await folder.remove();
});

async function startWith(unitUsd: Record<string, string>): Promise<Product> {
  const prices = join(folder.path, 'prices.json');
  const models = { [MODEL]: { platform: 'anthropic', maxInputTokens: 1_000_000, maxOutputTokens: 100_000, tiers: TIERS, unitUsd } };
  await writeFile(prices, JSON.stringify({ source: 'test prices', date: '2026-01-01', models }));
  return startProduct({ dataFolder: join(folder.path, 'data'), env: { ...simulator.upstreamSettings, TOKONE_PRICES_FILE: prices } });
}

async function charge(...words: string[]): Promise<{ usage: Record<string, string>; transfer: { amount: string } | null }> {
  const command = new ChildProgram({ main: 'apps/cli/dist/main.js', args: ['charge', ...words, '--json'], env: { TOKONE_DATA_DIR: product.dataFolder } });
  expect(await command.exited).toMatchObject({ code: 0 });
  return JSON.parse(command.stdout) as { usage: Record<string, string>; transfer: { amount: string } | null };
}

const showCharge = (requestId: string): ReturnType<typeof charge> => charge('show', requestId);

async function callOf(tenant: Tenant): Promise<string> {
  const call = writeCall('anthropic', tenant.key, { model: MODEL, prompt: '[[sim: output-tokens=1000 web-searches=2]]', stream: true, outputLimit: 2_000 });
  const answer = await callRaw({ url: product.addresses.baseUrl + call.path, headers: call.headers, body: call.body });
  expect([answer.status, answer.cleanEnd]).toEqual([200, true]);
  return String(answer.headers['x-request-id']);
}

/** As the management API shows it. */
const parkedCharge = (requestId: string): Promise<object> =>
  waitFor(async () => {
    const { status, body } = await product.manage('GET', `/api/v1/charges/${requestId}`);
    return status === 200 && body;
  }, { what: 'the request to be parked', deadlineMs: 15_000 });

describe('an answer whose usage has no price', () => {
  it('costs nothing once the operator waives it, and gives back what it had taken of the balance', async () => {
    const tenant = await product.tenant('0.30', 'anthropic');
    const requestId = await callOf(tenant);
    await parkedCharge(requestId);
    expect(await product.holds()).toMatchObject({ held: 0, settled: 1 });
    waivedIds.push(requestId);
    const waived = await charge('waive', requestId, '--why', 'nobody knows its price');
    expect(waived).toMatchObject({ usage: { state: 'rated', charge: '0.00', waived: { reason: 'unpriced', by: 'operator', why: 'nobody knows its price' } } });
    expect(await charge('waive', requestId, '--why', 'again')).toMatchObject({ usage: { waived: { why: 'nobody knows its price' } } });
    const ledger = new LedgerView(product);
    try {
      // No hold and nothing settled is left.
      await ledger.quiet();
      expect(await ledger.balanceOf(tenant.accountId)).toBe(300_000_000n);
    } finally {
      await ledger.close();
    }
  });

  it('is explained by charge show, and charged exactly once a price is stated', async () => {
    const tenant = await product.tenant('10', 'anthropic');
    const requestId = await callOf(tenant);
    expect(await parkedCharge(requestId)).toMatchObject({ id: requestId, transfer: null });
    expect((await showCharge(requestId)).usage).toMatchObject({ state: 'parked', reason: 'unpriced', detail: expect.stringContaining('has no price for web_search'), remedy: expect.stringContaining('TOKONE_PRICES_FILE') });

    expect(await product.stop()).toBe(0);
    product = await startWith({ web_search: '0.01' });
    const explained = await showCharge(requestId);
    // A thousand tokens for $0.05 and two searches for $0.02.
    expect(explained).toMatchObject({ usage: { state: 'rated' }, transfer: { amount: '0.07' } });
    const ledger = new LedgerView(product);
    try {
      await ledger.quiet();
      expect(await ledger.balanceOf(tenant.accountId)).toBe(10_000_000_000n - flatNanoUsd(1_000) - 20_000_000n);
    } finally {
      await ledger.close();
    }
    // What was waived was served, and is charged for nothing: the one thing that the provider knows otherwise.
    expect(await findMoneyFaults({ databaseUrl: product.addresses.databaseUrl, truth: await simulator.truth() })).toEqual(waivedIds.map((id) => `${id} is charged for 0/0/0/0, the provider served 11/0/0/1000`));
  });
});

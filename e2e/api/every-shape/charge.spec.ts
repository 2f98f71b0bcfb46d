import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DIALECT_NAMES, FLAT_MODELS, flatNanoUsd } from '@tokone/testing';
import type { DialectName } from '@tokone/testing';
import { PricedDeployment, requestIdOf } from '../../fixtures/priced-deployment.js';

let deployment: PricedDeployment;
let keys: Record<DialectName, string>;

beforeAll(async () => {
  deployment = await PricedDeployment.start();
  const [openai, anthropic, gemini] = await Promise.all(DIALECT_NAMES.map(async (name) => (await deployment.product.tenant('1000', name)).key));
  keys = { openai: openai ?? '', anthropic: anthropic ?? '', gemini: gemini ?? '' };
});
afterAll(async () => {
  expect(await deployment.stop()).toBe(0);
});

/** The public price lists, nano-USD a token: what the tests expect is computed from these numbers alone. */
const OPUS = { model: 'claude-opus-4-6', input: 5_000, cacheRead: 500, cacheWrite5m: 6_250, cacheWrite1h: 10_000, output: 25_000 };
const GPT = { model: 'gpt-5.5', input: 5_000, cacheRead: 500, output: 30_000, flexOutput: 15_000, flexInput: 2_500, priorityOutput: 75_000, priorityInput: 12_500 };
const FLASH = { model: 'gemini-3.5-flash', input: 1_500, cacheRead: 150, output: 9_000 };

interface Case {
  model: string;
  prompt: string;
  stream: boolean;
  extra?: Record<string, unknown>;
}

async function charged(dialect: DialectName, call: Case) {
  const answer = await deployment.call(dialect, keys[dialect], { outputLimit: 10_000, ...call });
  expect([answer.status, answer.cleanEnd]).toEqual([200, true]);
  return deployment.ledger.usageOf(requestIdOf(answer));
}

describe('token classes', () => {
  const counts = 'input-tokens=1000 cache-read=2000 output-tokens=100 reasoning-tokens=50';
  const cases = [
    ['anthropic', OPUS.model, `[[sim: ${counts} cache-write=300 cache-write-1h=400]]`, 1000 * OPUS.input + 2000 * OPUS.cacheRead + 300 * OPUS.cacheWrite5m + 400 * OPUS.cacheWrite1h + 150 * OPUS.output],
    // OpenAI bills what it writes to its cache like any other input.
    ['openai', GPT.model, `[[sim: ${counts} cache-write=300]]`, 1000 * GPT.input + 2000 * GPT.cacheRead + 300 * GPT.input + 150 * GPT.output],
    ['gemini', FLASH.model, `[[sim: ${counts}]]`, 1000 * FLASH.input + 2000 * FLASH.cacheRead + 150 * FLASH.output],
    // Above 272,000 tokens of input everything costs more: $10 in, $45 out.
    ['openai', GPT.model, '[[sim: input-tokens=300000 output-tokens=100]]', 300_000 * 10_000 + 100 * 45_000],
  ] as const;

  it.each(cases.flatMap((row) => [[...row, false] as const, [...row, true] as const]))('of %s %s %s cost %d nano-USD (streamed: %s)', async (dialect, model, prompt, expected, stream) => {
    const usage = await charged(dialect, { model, prompt, stream });
    expect(usage).toMatchObject({ estimated: false, odd: false, outcome: 'completed' });
    expect(usage.chargeNanoUsd).toBe(BigInt(expected));
  });

  it.each(DIALECT_NAMES.flatMap((dialect) => [[dialect, false] as const, [dialect, true] as const]))('of %s that nobody reports are estimated from the bytes (streamed: %s)', async (dialect, stream) => {
    const usage = await charged(dialect, { model: FLAT_MODELS[dialect], prompt: '[[sim: output-tokens=640 no-usage]]', stream });
    expect(usage).toMatchObject({ estimated: true, outcome: 'completed', outputTokens: 640 });
    expect(usage.chargeNanoUsd).toBe(flatNanoUsd(640));
    expect(usage.inputTokens).toBeGreaterThan(0);
  });
});

describe('service tiers', () => {
  const prompt = (words: string) => `[[sim: input-tokens=1000 output-tokens=100 ${words}]]`;
  const flex = 1000 * GPT.flexInput + 100 * GPT.flexOutput;
  const standard = 1000 * GPT.input + 100 * GPT.output;
  const priority = 1000 * GPT.priorityInput + 100 * GPT.priorityOutput;

  it.each([
    ['flex is served as flex', 'flex', '', flex, 'flex', false],
    ['priority is served as priority', 'priority', '', priority, 'priority', false],
    ['fast is another word for priority', 'fast', '', priority, 'priority', false],
    ['priority is served as default', 'priority', 'service-tier=default', standard, 'default', false],
    ['flex is served as default', 'flex', 'service-tier=default', standard, 'default', false],
    ['auto is served as priority', 'auto', 'service-tier=priority', priority, 'priority', false],
    ['none is asked for and a word comes back that nobody knows: the dearest', undefined, 'service-tier=ultrafast', priority, 'priority', true],
  ] as const)('are charged as they were served: %s', async (_title, asked, words, expected, tier, odd) => {
    for (const stream of [false, true]) {
      const usage = await charged('openai', { model: GPT.model, prompt: prompt(words), stream, ...(asked && { extra: { service_tier: asked } }) });
      expect(usage).toMatchObject({ serviceTier: tier, odd, chargeNanoUsd: BigInt(expected) });
    }
  });

  it.each([
    ['openai', GPT.model, { service_tier: 'ultrafast' }, 'service_tier'],
    ['anthropic', OPUS.model, { service_tier: 'priority' }, 'service_tier'],
    ['gemini', FLASH.model, { serviceTier: 'ultrafast' }, 'service_tier'],
    ['anthropic', OPUS.model, { speed: 'fast' }, 'speed'],
    ['anthropic', OPUS.model, { inference_geo: 'us' }, 'inference_geo'],
  ] as const)('and options without a price are refused before anything is held: %s %s %p', async (dialect, model, extra, field) => {
    const answer = await deployment.call(dialect, keys[dialect], { model, prompt: 'Reply with OK', stream: false, outputLimit: 100, extra });
    expect(answer.status).toBe(400);
    expect(answer.text).toContain(field);
    const usage = await deployment.ledger.usageOf(requestIdOf(answer));
    expect(usage).toMatchObject({ outcome: 'refused', errorCode: 'invalid_field', holdNanoUsd: 0n, chargeNanoUsd: 0n });
  });
});

describe('hosted tools', () => {
  const webSearch = { type: 'web_search_20250305', name: 'web_search' };

  it.each([false, true])('with a unit price are charged by the call: $0.01 for each web search (streamed: %s)', async (stream) => {
    const usage = await charged('anthropic', { model: OPUS.model, prompt: '[[sim: input-tokens=1000 output-tokens=100 web-searches=3]]', stream, extra: { tools: [webSearch] } });
    expect(usage).toMatchObject({ units: { web_search: 3 }, estimated: false });
    expect(usage.chargeNanoUsd).toBe(BigInt(1000 * OPUS.input + 100 * OPUS.output + 3 * 10_000_000));
  });

  it.each([
    ['anthropic', OPUS.model, { tools: [{ type: 'code_execution_20250825', name: 'code_execution' }] }, 'code_execution_20250825'],
    ['anthropic', FLAT_MODELS.anthropic, { tools: [webSearch] }, 'web_search_20250305'],
    ['openai', GPT.model, { web_search_options: {} }, 'web_search_options'],
    ['gemini', FLASH.model, { tools: [{ googleSearch: {} }] }, 'googleSearch'],
  ] as const)('without one are refused by name: %s %s %p', async (dialect, model, extra, name) => {
    const answer = await deployment.call(dialect, keys[dialect], { model, prompt: 'Reply with OK', stream: false, outputLimit: 100, extra });
    expect(answer.status).toBe(400);
    expect(answer.text).toContain(name);
    expect(await deployment.ledger.usageOf(requestIdOf(answer))).toMatchObject({ errorCode: 'unpriced_tool', holdNanoUsd: 0n, chargeNanoUsd: 0n });
  });
});

it("a group's multiplier is in the hold and in the charge", async () => {
  await deployment.ledger.pool.query(
    `WITH made AS (INSERT INTO account.groups (id, name, platform, multiplier_ppm) VALUES (gen_random_uuid(), 'half', 'openai', 1500000) RETURNING id)
     INSERT INTO account.group_upstreams SELECT made.id, gu.upstream_id FROM made, account.group_upstreams gu JOIN account.groups g ON g.id = gu.group_id WHERE g.name = 'openai'`,
  );
  const { body: account } = await deployment.product.manage('POST', '/api/v1/accounts', { name: 'dear' });
  await deployment.product.manage('POST', `/api/v1/accounts/${String(account['id'])}/top-ups`, { amount: '1' });
  const { body: key } = await deployment.product.manage('POST', '/api/v1/keys', { account: account['id'], group: 'half' });
  const answer = await deployment.call('openai', String(key['key']), { model: FLAT_MODELS.openai, prompt: '[[sim: output-tokens=1000]]', stream: false, outputLimit: 1_000 });
  const usage = await deployment.ledger.usageOf(requestIdOf(answer));
  expect(usage).toMatchObject({ holdNanoUsd: 75_000_000n, ratedNanoUsd: 75_000_000n, chargeNanoUsd: 75_000_000n });
});

it('leaves the books in order', async () => {
  expect(await deployment.moneyFaults()).toEqual([]);
});

import { describe, expect, it } from '@jest/globals';
import type { GroupRecord } from '@tokone/account-client';
import type { PriceSnapshot } from '@tokone/pricing';
import { GatewayError, findEndpoint, passBody } from '@tokone/protocol';
import type { Dialect, ErrorCode, InferenceEndpoint } from '@tokone/protocol';
import { modelPrice, tenantKey } from './fixtures/tenant.js';
import { planRequest } from './request-plan.js';
import type { PlanInput, RequestPlan } from './request-plan.js';

const claude: PriceSnapshot = { ...modelPrice, id: 'claude@1', model: 'claude', platform: 'anthropic', unitNanoUsd: { web_search: 10_000_000n } };
const flash: PriceSnapshot = { ...modelPrice, id: 'flash@1', model: 'flash', platform: 'gemini' };
const rare: PriceSnapshot = { ...modelPrice, id: 'rare@1', model: 'rare' };
const gap: PriceSnapshot = { ...modelPrice, id: 'gap@1', model: 'gap', tiers: { default: [{ aboveInputTokens: 0, nanoUsdPerMillion: { input: 1n } }] } };
const book = [modelPrice, claude, flash, rare, gap];
const groups: GroupRecord[] = [
  { groupId: 'g1', name: 'OpenAI', platform: 'openai', models: new Set(['m', 'gap']) },
  { groupId: 'g2', name: 'Rare', platform: 'openai', models: new Set(['rare']) },
  { groupId: 'g3', name: 'Anthropic', platform: 'anthropic', models: undefined },
];
const paths: Record<Dialect, string> = { 'openai-chat': '/v1/chat/completions', 'anthropic-messages': '/v1/messages', 'gemini-content': '/v1beta/models/flash:generateContent' };

interface Asking {
  dialect?: Dialect;
  path?: string;
  query?: string;
  text?: string;
  change?: Partial<PlanInput>;
}

function plan({ dialect = 'openai-chat', path = paths[dialect], query = '', text = '{"model":"m","messages":[]}', change = {} }: Asking): RequestPlan {
  const body = Buffer.from(text);
  const { facts, fault } = passBody(dialect, body);
  if (fault) throw new Error(fault.message);
  return planRequest({
    endpoint: findEndpoint(path, query) as InferenceEndpoint,
    facts,
    bodyBytes: body.length,
    key: { ...tenantKey, platform: ({ 'openai-chat': 'openai', 'anthropic-messages': 'anthropic', 'gemini-content': 'gemini' } as const)[dialect] },
    prices: { find: (model) => book.find((price) => price.model === model), byId: async () => undefined, models: () => book },
    groups,
    referenceTokens: 1_000,
    ...change,
  });
}

function refusalOf(asking: Asking): GatewayError {
  try {
    plan(asking);
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
  throw new Error('it was planned');
}

describe('a request is refused', () => {
  it.each<[string, Asking, ErrorCode, string[]]>([
    ['for a model that nobody sells', { text: '{"model":"nothing","messages":[]}' }, 'unknown_model', ['"nothing"', 'GET /v1/models']],
    ['for a model named like a member of every object', { text: '{"model":"constructor","messages":[]}' }, 'unknown_model', ['"constructor"']],
    ['for a model of another group of the platform', { text: '{"model":"rare","messages":[]}', change: { key: { ...tenantKey, models: new Set(['m']) } } }, 'model_of_other_group', ['"rare"', 'group "Rare"', 'group "OpenAI"']],
    ['for a model of another platform', { text: '{"model":"claude","messages":[]}' }, 'model_of_other_group', ['"claude"', 'group "Anthropic"']],
    ['for a model of a platform that no group sells', { text: '{"model":"flash","messages":[]}' }, 'unknown_model', ['"flash"']],
    ['at an endpoint of another dialect', { change: { key: { ...tenantKey, platform: 'anthropic', groupName: 'Anthropic' } } }, 'endpoint_of_other_dialect', ['"Anthropic"', 'POST /v1/messages', 'group "OpenAI" or "Rare"']],
    ['for a model without a price for output', { text: '{"model":"gap","messages":[]}' }, 'unknown_model', ['"gap"', 'output']],
    ['for a hosted tool of Anthropic without a price', { dialect: 'anthropic-messages', text: '{"model":"claude","max_tokens":5,"messages":[],"tools":[{"type":"code_execution_20250522","name":"c"}]}' }, 'unpriced_tool', ['"code_execution_20250522"']],
    ['for a hosted tool of OpenAI', { text: '{"model":"m","messages":[],"web_search_options":{}}' }, 'unpriced_tool', ['"web_search_options"']],
    ['for a hosted tool of Gemini', { dialect: 'gemini-content', text: '{"contents":[],"tools":[{"googleSearch":{}}]}' }, 'unpriced_tool', ['"googleSearch"']],
  ])('%s', (_title, asking, code, words) => {
    const error = refusalOf(asking);
    expect(error.code).toBe(code);
    for (const word of words) expect(error.message).toContain(word);
  });

  it('without its long model name in full', () => {
    expect(refusalOf({ text: `{"model":"${'x'.repeat(200)}","messages":[]}` }).message.length).toBeLessThan(250);
  });
});

describe('a request streams', () => {
  const array = { path: '/v1/models/flash:streamGenerateContent', dialect: 'gemini-content', text: '{"contents":[]}' } as const;
  it.each<[string, Asking, boolean, string]>([
    ['not unless asked', {}, false, 'json'],
    ['not when told not to', { text: '{"model":"m","messages":[],"stream":false}' }, false, 'json'],
    ['when its body says so', { text: '{"model":"m","messages":[],"stream":true}' }, true, 'sse'],
    ['when its path says so, as an array', array, true, 'json-array'],
    ['when its path says so, as events', { ...array, query: 'alt=sse' }, true, 'sse'],
    ["when Gemini's body says so at the plain path, as events", { dialect: 'gemini-content', text: '{"contents":[],"stream":true}' }, true, 'sse'],
    ["still as an array when Gemini's path and body say so", { ...array, text: '{"contents":[],"stream":true}' }, true, 'json-array'],
    ["not when Gemini's path does not", { dialect: 'gemini-content', text: '{"contents":[]}' }, false, 'json'],
  ])('%s', (_title, asking, streamed, framing) => {
    expect(plan(asking)).toMatchObject({ streamed, framing });
  });
});

describe('the hold of a request', () => {
  /** The body has 27 bytes: 14 tokens are held, which are 14,000 nano-USD. */
  it.each<[string, Asking, { mode: string; input: bigint; worst: bigint }]>([
    ["covers the model's maximum where no limit is stated", {}, { mode: 'no_limit', input: 14_000n, worst: 2_014_000n }],
    ['covers the stated limit', { text: '{"model":"m","messages":[],"max_tokens":10}' }, { mode: 'limit_stated', input: 22_000n, worst: 42_000n }],
    ['covers the largest limit for each of the answers', { text: '{"model":"m","messages":[],"max_tokens":10,"max_completion_tokens":20,"n":3}' }, { mode: 'limit_stated', input: 38_000n, worst: 158_000n }],
    ['may begin small for a stream', { text: '{"model":"m","messages":[],"stream":true}' }, { mode: 'stream', input: 21_000n, worst: 2_021_000n }],
    ['may begin small for a stream with a limit', { text: '{"model":"m","messages":[],"stream":true,"max_tokens":10}' }, { mode: 'stream', input: 29_000n, worst: 49_000n }],
    ['takes the multiplier of the key', { change: { key: { ...tenantKey, multiplierPpm: 2_000_000 } } }, { mode: 'no_limit', input: 28_000n, worst: 4_028_000n }],
    ['covers thoughts beside the answer where the provider counts them apart', { dialect: 'gemini-content', text: '{"contents":[],"generationConfig":{"maxOutputTokens":10,"thinkingConfig":{"thinkingBudget":5}}}' }, { mode: 'limit_stated', input: 48_000n, worst: 78_000n }],
    ['covers thoughts within the limit where the provider counts them there', { dialect: 'anthropic-messages', text: '{"model":"claude","max_tokens":10,"messages":[],"thinking":{"type":"enabled","budget_tokens":5}}' }, { mode: 'limit_stated', input: 48_000n, worst: 68_000n }],
    ['is at the price of cache writes where they are asked for', { dialect: 'anthropic-messages', text: '{"model":"claude","max_tokens":10,"messages":[],"cache_control":{"type":"ephemeral"}}' }, { mode: 'limit_stated', input: 53_750n, worst: 73_750n }],
    ['covers ten calls of a priced hosted tool', { dialect: 'anthropic-messages', text: '{"model":"claude","max_tokens":10,"messages":[],"tools":[{"type":"web_search_20250305","name":"w"}]}' }, { mode: 'limit_stated', input: 100_050_000n, worst: 100_070_000n }],
  ])('%s', (_title, asking, { mode, input, worst }) => {
    const { rule, estimate } = plan(asking);
    expect(rule).toMatchObject({ mode, inputNanoUsd: input, worstNanoUsd: worst });
    expect(rule.firstStepNanoUsd).toBe(estimate.firstStepNanoUsd);
  });

  it('and its price follow the model that the tenant asked for, in the path of Gemini too', () => {
    expect(plan({ dialect: 'gemini-content', text: '{"contents":[]}' })).toMatchObject({ model: 'flash', price: flash });
    expect(plan({})).toMatchObject({ model: 'm', price: modelPrice, tier: 'default' });
  });

  it('is never below what another tier than the asked one may cost by default', () => {
    const { rule, tier } = plan({ text: '{"model":"m","messages":[],"service_tier":"flex"}' });
    expect([tier, rule.worstNanoUsd - rule.inputNanoUsd]).toEqual(['flex', 2_000_000n]);
  });
});

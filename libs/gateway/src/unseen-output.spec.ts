import { describe, expect, it } from '@jest/globals';
import { passBody } from '@tokone/protocol';
import type { BodyFacts, Dialect } from '@tokone/protocol';
import { PRICE } from './fixtures/gateway-bench.js';
import { mayUseUnseenOutput } from './unseen-output.js';

const DIALECTS = { openai: 'openai-chat', anthropic: 'anthropic-messages', gemini: 'gemini-content' } as const satisfies Record<string, Dialect>;

function factsOf(dialect: Dialect, body: object): BodyFacts {
  const { facts, fault } = passBody(dialect, Buffer.from(JSON.stringify(body)));
  if (!facts) throw new Error(`the body is not one: ${fault?.message}`);
  return facts;
}

function may(platform: keyof typeof DIALECTS, model: string, body: object = {}): boolean {
  const asked = platform === 'gemini' ? { contents: [], ...body } : { model, messages: [], ...(platform === 'anthropic' && { max_tokens: 9_000 }), ...body };
  return mayUseUnseenOutput(factsOf(DIALECTS[platform], asked), { ...PRICE, platform, model });
}

describe('output that a stream does not show', () => {
  it.each(['gpt-5.5', 'gpt-5-mini', 'gpt-6', 'o3', 'o4-mini', 'codex-mini-latest', 'chat-latest', 'ft:o4-mini:us'])('%s may think', (model) => {
    expect(may('openai', model)).toBe(true);
  });

  it.each(['gpt-4.1', 'gpt-4o-mini', 'gpt-3.5-turbo', 'ft:gpt-4.1:us', 'our-own-model'])('%s does not', (model) => {
    expect(may('openai', model)).toBe(false);
  });

  it('is thinking of Gemini from 2.5 on, unless it is turned off', () => {
    expect([may('gemini', 'gemini-2.5-pro'), may('gemini', 'gemini-3-pro'), may('gemini', 'gemini-2.0-flash'), may('gemini', 'gemini-1.5-pro')]).toEqual([true, true, false, false]);
    expect(may('gemini', 'gemini-2.5-flash', { generationConfig: { thinkingConfig: { thinkingBudget: 0 } } })).toBe(false);
    expect(may('gemini', 'gemini-2.5-flash', { generationConfig: { thinkingConfig: { thinkingBudget: -1 } } })).toBe(true);
  });

  it.each(['claude-fable-5-1', 'claude-mythos-preview'])('is thinking of %s, whatever it is told', (model) => {
    for (const thinking of [undefined, null, { type: 'disabled' }]) expect(may('anthropic', model, { thinking })).toBe(true);
  });

  it.each(['claude-opus-5', 'claude-sonnet-5-5', 'claude-haiku-5-5', 'claude-opus-6'])('is thinking of %s, unless it is turned off', (model) => {
    expect([may('anthropic', model), may('anthropic', model, { thinking: null }), may('anthropic', model, { thinking: {} })]).toEqual([true, true, true]);
    expect(may('anthropic', model, { thinking: { type: 'disabled' } })).toBe(false);
  });

  it.each(['claude-opus-4-8', 'claude-sonnet-4-6', 'claude-haiku-4-5-20251001', 'claude-3-7-sonnet-latest', 'our-own-model'])('is thinking of %s when it is asked for, with a budget or without', (model) => {
    expect(may('anthropic', model)).toBe(false);
    for (const off of [null, {}, { type: 'disabled' }]) expect(may('anthropic', model, { thinking: off })).toBe(false);
    for (const on of [{ type: 'enabled', budget_tokens: 4_000 }, { budget_tokens: 4_000 }, { type: 'adaptive' }, { display: 'omitted', type: 'adaptive' }, { type: 'as it is called later' }]) {
      expect(may('anthropic', model, { thinking: on })).toBe(true);
    }
  });

  it.each(['reasoning', 'outputAudio', 'outputImage'] as const)('is what has a price of its own: %s', (tokenClass) => {
    const price = { ...PRICE, model: 'our-own-model', tiers: { default: [{ aboveInputTokens: 0, nanoUsdPerMillion: { input: 1n, output: 1n, [tokenClass]: 1n } }] } };
    expect(mayUseUnseenOutput(factsOf('openai-chat', { model: 'our-own-model', messages: [] }), price)).toBe(true);
  });
});

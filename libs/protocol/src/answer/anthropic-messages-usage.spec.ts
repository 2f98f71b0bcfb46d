import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { noTokens, totalInputTokens, totalOutputTokens } from '../token-usage.js';
import { mergeAnthropicMessagesUsage, readAnthropicMessagesUsage } from './anthropic-messages-usage.js';

const START = {
  input_tokens: 21,
  cache_creation_input_tokens: 556,
  cache_read_input_tokens: 188_086,
  cache_creation: { ephemeral_5m_input_tokens: 456, ephemeral_1h_input_tokens: 100 },
  output_tokens: 1,
  service_tier: 'standard',
  server_tool_use: null,
};

describe('readAnthropicMessagesUsage', () => {
  it('keeps cache reads and writes beside input_tokens, which excludes them', () => {
    const usage = readAnthropicMessagesUsage(START, false)!;
    expect(usage.tokens).toEqual({
      ...noTokens(),
      input: 21,
      cacheRead: 188_086,
      cacheWrite5m: 456,
      cacheWrite1h: 100,
      output: 1,
    });
    expect(usage).toMatchObject({ final: false, odd: false, serviceTier: 'standard', units: {} });
  });

  it('counts all cache writes as five minutes when the split is missing', () => {
    const usage = readAnthropicMessagesUsage({ input_tokens: 1, output_tokens: 2, cache_creation_input_tokens: 9 }, true)!;
    expect(usage.tokens).toEqual({ ...noTokens(), input: 1, output: 2, cacheWrite5m: 9 });
  });

  it('takes the split when the sum is missing', () => {
    const cache_creation = { ephemeral_5m_input_tokens: 3, ephemeral_1h_input_tokens: 4 };
    const usage = readAnthropicMessagesUsage({ input_tokens: 1, output_tokens: 2, cache_creation }, true)!;
    expect(usage.tokens).toMatchObject({ cacheWrite5m: 3, cacheWrite1h: 4 });
    expect(usage.odd).toBe(false);
  });

  it('counts thinking as a part of output_tokens and web searches as units', () => {
    const usage = readAnthropicMessagesUsage(
      {
        input_tokens: 5,
        output_tokens: 100,
        output_tokens_details: { thinking_tokens: 60 },
        server_tool_use: { web_search_requests: 3, web_fetch_requests: 2 },
      },
      true,
    )!;
    expect(usage.tokens).toEqual({ ...noTokens(), input: 5, output: 40, reasoning: 60 });
    expect(usage.units).toEqual({ web_search: 3 });
  });

  it('lets later cumulative counts replace earlier ones and keeps what they leave out or null', () => {
    const merged = mergeAnthropicMessagesUsage(START, {
      output_tokens: 503,
      input_tokens: 30,
      cache_read_input_tokens: null,
      server_tool_use: { web_search_requests: 1 },
    });
    expect(readAnthropicMessagesUsage(merged, true)).toMatchObject({
      tokens: { input: 30, cacheRead: 188_086, cacheWrite5m: 456, cacheWrite1h: 100, output: 503 },
      units: { web_search: 1 },
      serviceTier: 'standard',
    });
  });

  it('adds up to the totals of the provider, whatever the split says', () => {
    const count = fc.nat(1000);
    fc.assert(
      fc.property(count, count, count, count, count, count, (input, read, written, oneHour, output, thinking) => {
        const usage = readAnthropicMessagesUsage(
          {
            input_tokens: input,
            cache_read_input_tokens: read,
            cache_creation_input_tokens: written,
            cache_creation: { ephemeral_1h_input_tokens: oneHour, ephemeral_5m_input_tokens: written - oneHour },
            output_tokens: output,
            output_tokens_details: { thinking_tokens: thinking },
          },
          true,
        )!;
        expect(totalInputTokens(usage.tokens)).toBe(input + read + written);
        expect(totalOutputTokens(usage.tokens)).toBe(output);
        expect(usage.odd).toBe(oneHour > written || thinking > output);
      }),
    );
  });

  it.each([[null], [{}], [{ input_tokens: null }]])('finds no usage in %j', (value) => {
    expect(readAnthropicMessagesUsage(value, true)).toBeUndefined();
  });
});

import { describe, expect, it } from '@jest/globals';
import { openaiProvider } from './openai-provider.js';

/** What the provider's own API reference says of "Create chat completion". */
describe('OpenAI', () => {
  it('is asked at its endpoint with a bearer token', () => {
    const head = { framing: 'sse' } as Parameters<typeof openaiProvider.path>[0];
    expect(openaiProvider.path(head, 'gpt-5')).toBe('/v1/chat/completions');
    expect(openaiProvider.authorize('sk-1')).toEqual(['authorization', 'Bearer sk-1']);
  });

  it('reports the usage of a stream only when asked, and names its limit and its requests', () => {
    expect(openaiProvider).toMatchObject({
      platform: 'openai',
      dialect: 'openai-chat',
      asksForUsage: true,
      removesStreamMember: false,
      outputLimitField: 'max_completion_tokens',
      requestIdHeader: 'x-request-id',
      defaultHeaders: {},
    });
  });
});

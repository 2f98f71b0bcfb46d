import { describe, expect, it } from '@jest/globals';
import { anthropicProvider } from './anthropic-provider.js';

/** What the provider's own documents "Messages" and "Versions" say. */
describe('Anthropic', () => {
  it('is asked at its endpoint with its own key header, never as a bearer token', () => {
    const head = { framing: 'sse' } as Parameters<typeof anthropicProvider.path>[0];
    expect(anthropicProvider.path(head, 'claude')).toBe('/v1/messages');
    expect(anthropicProvider.authorize('sk-1')).toEqual(['x-api-key', 'sk-1']);
  });

  it('needs a version, reports usage unasked, and names its limit and its requests', () => {
    expect(anthropicProvider).toMatchObject({
      platform: 'anthropic',
      dialect: 'anthropic-messages',
      asksForUsage: false,
      removesStreamMember: false,
      outputLimitField: 'max_tokens',
      requestIdHeader: 'request-id',
      defaultHeaders: { 'anthropic-version': '2023-06-01' },
    });
  });
});

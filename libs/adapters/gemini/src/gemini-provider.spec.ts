import { describe, expect, it } from '@jest/globals';
import { geminiProvider } from './gemini-provider.js';

type Head = Parameters<typeof geminiProvider.path>[0];

/** What the provider's own API reference says of "models.generateContent" and "models.streamGenerateContent". */
describe('Gemini', () => {
  it.each<[Head['framing'], string]>([
    ['json', '/v1beta/models/gemini-3-pro:generateContent'],
    ['sse', '/v1beta/models/gemini-3-pro:streamGenerateContent?alt=sse'],
    ['json-array', '/v1beta/models/gemini-3-pro:streamGenerateContent'],
  ])('is asked for %s by the path', (framing, path) => {
    expect(geminiProvider.path({ framing } as Head, 'gemini-3-pro')).toBe(path);
  });

  it.each([
    ['a/b', '/v1beta/models/a%2Fb:generateContent'],
    ['a?key=x#y', '/v1beta/models/a%3Fkey%3Dx%23y:generateContent'],
    ['../files', '/v1beta/models/..%2Ffiles:generateContent'],
    ['ü :x', '/v1beta/models/%C3%BC%20%3Ax:generateContent'],
  ])('is asked for a model named %p without a change of the path', (model, path) => {
    expect(geminiProvider.path({ framing: 'json' } as Head, model)).toBe(path);
  });

  it('takes its key in a header, and knows no `stream` in the body', () => {
    expect(geminiProvider.authorize('k')).toEqual(['x-goog-api-key', 'k']);
    expect(geminiProvider).toMatchObject({ platform: 'gemini', dialect: 'gemini-content', asksForUsage: false, removesStreamMember: true, outputLimitField: 'maxOutputTokens', defaultHeaders: {} });
  });
});

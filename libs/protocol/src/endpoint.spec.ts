import { describe, expect, it } from '@jest/globals';
import { findEndpoint, hasKeyInQuery } from './endpoint.js';
import type { InferenceEndpoint } from './endpoint.js';

const chat: InferenceEndpoint = { dialect: 'openai-chat', model: undefined, framing: 'json', streamsByPath: false };
const messages: InferenceEndpoint = { dialect: 'anthropic-messages', model: undefined, framing: 'json', streamsByPath: false };
const gemini = (model: string, framing: InferenceEndpoint['framing']): InferenceEndpoint => ({ dialect: 'gemini-content', model, framing, streamsByPath: framing !== 'json' });

describe('an inference endpoint', () => {
  it.each<[string, string, InferenceEndpoint]>([
    ['/v1/chat/completions', '', chat],
    ['/chat/completions', '', chat],
    ['/v1/chat/completions', 'alt=sse&x=1', chat],
    ['/v1/messages', '', messages],
    ['/v1/messages', 'beta=true', messages],
    ['/messages', '', messages],
    ['/v1beta/models/gemini-3-pro:generateContent', '', gemini('gemini-3-pro', 'json')],
    ['/v1/models/gemini-3-pro:generateContent', '', gemini('gemini-3-pro', 'json')],
    ['/v1beta/models/gemini-3-pro:generateContent', 'alt=sse', gemini('gemini-3-pro', 'json')],
    ['/v1beta/models/gemini-3-pro:streamGenerateContent', '', gemini('gemini-3-pro', 'json-array')],
    ['/v1beta/models/gemini-3-pro:streamGenerateContent', 'alt=sse', gemini('gemini-3-pro', 'sse')],
    ['/v1/models/gemini-3-pro:streamGenerateContent', 'alt=sse', gemini('gemini-3-pro', 'sse')],
    ['/v1/models/m:streamGenerateContent', 'a=b&alt=sse', gemini('m', 'sse')],
    ['/v1/models/m:streamGenerateContent', 'alt=%73se', gemini('m', 'sse')],
    ['/v1/models/m:streamGenerateContent', 'alt=json', gemini('m', 'json-array')],
    ['/v1/models/m:streamGenerateContent', 'xalt=sse', gemini('m', 'json-array')],
    ['/v1beta/models/tuned%2Fmine%20%C3%BC:generateContent', '', gemini('tuned/mine ü', 'json')],
    ['/v1beta/models/a:b:generateContent', '', gemini('a:b', 'json')],
    ['/v1beta/models/a%3Ab:streamGenerateContent', '', gemini('a:b', 'json-array')],
  ])('stands at %s?%s', (path, query, endpoint) => {
    expect(findEndpoint(path, query)).toEqual(endpoint);
  });

  it.each([
    '',
    '/',
    '/v1',
    '/v1/chat/completions/',
    '/v1/chat/Completions',
    '//v1/chat/completions',
    '/v2/chat/completions',
    '/v1/completions',
    '/v1/messages/count_tokens',
    '/v1/models',
    '/v1/models/gpt-5',
    '/v1beta/models/:generateContent',
    '/v1beta/models/%:generateContent',
    '/v1beta/models/%ff:streamGenerateContent',
    '/v1beta/models/m:countTokens',
    '/v1beta/models/m:generateContentX',
    '/v1beta/m:generateContent',
    '/models/m:generateContent',
    '/v1beta/tunedModels/m:generateContent',
  ])('does not stand at %p', (path) => {
    expect(findEndpoint(path, '')).toBeUndefined();
  });
});

describe('a key in the query', () => {
  it.each(['key=sk-1', 'key=', 'key', 'api_key=1', 'a=b&key=1', 'alt=sse&api_key=1', '%6bey=1', '%6Bey=1', 'k%65y=1', 'api%5Fkey=1', '%61%70%69_key', 'key=1&key=2', '&key=1', 'a=1&&key'])(
    'is seen in ?%s',
    (query) => {
      expect(hasKeyInQuery(query)).toBe(true);
    },
  );

  it.each(['', 'alt=sse', 'keys=1', 'monkey=1', 'apikey=1', 'a=key', 'a=%6bey', 'q=a%26key%3D1', 'api_keys=1', '%', '%zz=1', 'beta=true'])('is not seen in ?%s', (query) => {
    expect(hasKeyInQuery(query)).toBe(false);
  });
});

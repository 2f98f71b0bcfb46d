import { describe, expect, it } from '@jest/globals';
import { allowedAnswerHeaders, allowedRequestHeaders } from './headers.js';

describe('headers to the provider', () => {
  it('are those of the list, in small letters, in order, with all their values', () => {
    const sent = ['Anthropic-Version', '2023-06-01', 'Accept', '*/*', 'anthropic-beta', 'a', 'anthropic-beta', 'b', 'OpenAI-Beta', 'x', 'X-Goog-Api-Client', 'genai-js'];
    expect(allowedRequestHeaders(sent)).toEqual(['anthropic-version', '2023-06-01', 'accept', '*/*', 'anthropic-beta', 'a', 'anthropic-beta', 'b', 'openai-beta', 'x', 'x-goog-api-client', 'genai-js']);
  });

  it.each([
    'Authorization', 'x-api-key', 'X-Goog-Api-Key', 'Cookie', 'Proxy-Authorization', 'Host', 'Connection', 'Content-Length', 'Content-Encoding', 'Transfer-Encoding', 'TE', 'Upgrade',
    'Expect', 'Accept-Encoding', 'X-Forwarded-For', 'Forwarded', 'Via', 'Origin', 'Referer', 'User-Agent', 'OpenAI-Organization', 'OpenAI-Project', 'x-goog-user-project', 'traceparent', 'x-request-id',
    'x-stainless-lang', '', 'accept ',
  ])('never hold %p', (name) => {
    expect(allowedRequestHeaders([name, 'value', 'Accept', 'a'])).toEqual(['accept', 'a']);
  });

  it('survive a list with a name too many', () => {
    expect(allowedRequestHeaders(['accept'])).toEqual([]);
  });
});

describe('headers to the client', () => {
  it('are those of the list', () => {
    const headers = { 'content-type': 'application/json', 'cache-control': 'no-cache', 'openai-processing-ms': '5', 'openai-version': '2020-10-01', 'retry-after': '20' };
    expect(allowedAnswerHeaders(headers)).toEqual(headers);
  });

  it.each([
    'set-cookie', 'openai-organization', 'anthropic-organization-id', 'x-ratelimit-remaining-tokens', 'anthropic-ratelimit-tokens-remaining', 'x-request-id', 'request-id', 'cf-ray', 'server',
    'content-length', 'transfer-encoding', 'connection', 'keep-alive', 'content-encoding', 'strict-transport-security', 'access-control-allow-origin', 'location', 'www-authenticate', 'alt-svc',
  ])('never hold %p', (name) => {
    expect(allowedAnswerHeaders({ [name]: 'value' })).toEqual({});
  });

  it.each(['Wed, 21 Oct 2026 07:28:00 GMT', '-1', '1.5', '', '99999999'])('hold no retry-after of %p, which is no small number of seconds', (value) => {
    expect(allowedAnswerHeaders({ 'retry-after': value })).toEqual({});
  });

  it('take the first of several values', () => {
    expect(allowedAnswerHeaders({ 'content-type': ['a/b', 'c/d'] })).toEqual({ 'content-type': 'a/b' });
  });
});

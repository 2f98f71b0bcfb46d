import { describe, expect, it } from '@jest/globals';
import { routeOfPath } from './request-route.js';

describe('the route of a path', () => {
  it.each([
    ['/v1/chat/completions', '/v1/chat/completions'],
    ['/chat/completions', '/v1/chat/completions'],
    ['/messages', '/v1/messages'],
    ['/v1beta/models/gemini-3-pro:generateContent', '/v1beta/models/{model}:generateContent'],
    ['/v1/models/a%2Fb:streamGenerateContent', '/v1beta/models/{model}:streamGenerateContent'],
    ['/v1beta/models', '/v1/models'],
    ['/v1/models/gpt-5.5', '/v1/models/{model}'],
    ['/models/x', '/v1/models/{model}'],
    ['/v1/usage', '/v1/usage'],
    ['/health', '/health'],
    ['/', 'other'],
    ['/v1/models/a/b', 'other'],
    ['/health/ready', 'other'],
    ['/v1beta/models/:generateContent', 'other'],
    ['/v1/usage/019ab1c2-0000-7000-8000-000000000003', 'other'],
  ])('%s is %s', (path, route) => expect(routeOfPath(path)).toBe(route));
});

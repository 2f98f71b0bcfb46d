import { describe, expect, it } from '@jest/globals';
import { dialectOfCaller } from './dialect-of-caller.js';

describe('the dialect of a caller', () => {
  it.each<[string, Record<string, string>, string]>([
    ['/v1/chat/completions', { 'anthropic-version': '1' }, 'openai-chat'],
    ['/chat/completions?x=1', { 'x-goog-api-key': 'k' }, 'openai-chat'],
    ['/v1/messages', {}, 'anthropic-messages'],
    ['/v1/messages?beta=true', {}, 'anthropic-messages'],
    ['/messages', {}, 'anthropic-messages'],
    ['/v1/messages/count_tokens', {}, 'anthropic-messages'],
    ['/v1beta/models', {}, 'gemini-content'],
    ['/v1beta', {}, 'gemini-content'],
    ['/v1beta/models/m:generateContent?key=x', { authorization: 'Bearer x' }, 'gemini-content'],
    ['/v1/models/m:streamGenerateContent', {}, 'gemini-content'],
    ['/models/m:countTokens', {}, 'gemini-content'],
    ['/v1/models', {}, 'openai-chat'],
    ['/v1/models', { authorization: 'Bearer x' }, 'openai-chat'],
    ['/v1/models', { 'anthropic-version': '2023-06-01', authorization: 'Bearer x' }, 'anthropic-messages'],
    ['/v1/models', { 'x-goog-api-key': 'k' }, 'gemini-content'],
    ['/models', { 'x-goog-api-key': 'k', authorization: 'Bearer x' }, 'openai-chat'],
    ['/v1/models', { 'x-api-key': 'k' }, 'openai-chat'],
    ['/v1/models/gpt-5', {}, 'openai-chat'],
    ['/', {}, 'openai-chat'],
    ['', {}, 'openai-chat'],
    ['/nowhere?a=/v1beta/', {}, 'openai-chat'],
  ])('at %p with %p is %s', (url, headers, dialect) => {
    expect(dialectOfCaller(url, headers)).toBe(dialect);
  });
});

import { describe, expect, it } from '@jest/globals';
import { readBaseUrl } from './upstreams.js';

describe('the address of an upstream', () => {
  it.each([
    ['https://api.openai.com', 'https://api.openai.com'],
    ['https://api.openai.com/', 'https://api.openai.com'],
    ['http://127.0.0.1:9000//', 'http://127.0.0.1:9000'],
    ['https://proxy.example/tenant/a/', 'https://proxy.example/tenant/a'],
  ])('%s is kept as %s', (text, kept) => {
    expect(readBaseUrl(text)).toBe(kept);
  });

  it.each(['', 'api.openai.com', 'ftp://a', 'file:///etc/passwd', 'https://user:word@a', 'https://a/?key=1', 'https://a/#b'])('refuses %p', (text) => {
    expect(() => readBaseUrl(text)).toThrow('baseUrl');
  });
});

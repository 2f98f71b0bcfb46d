import { describe, expect, it } from '@jest/globals';
import { readCredential } from './credential.js';

describe('the key of a request', () => {
  it.each<[string, string[], string | undefined]>([
    ['none without a header', [], undefined],
    ['none with other headers', ['Cookie', 'key=sk-1', 'x-api-keys', 'sk-1', 'Proxy-Authorization', 'Bearer sk-1'], undefined],
    ['a bearer token', ['Authorization', 'Bearer sk-1'], 'sk-1'],
    ['a bearer token however it is written', ['AUTHORIZATION', 'bEaReR   sk-1  '], 'sk-1'],
    ['an x-api-key', ['X-Api-Key', 'sk-2'], 'sk-2'],
    ['an x-goog-api-key', ['x-GOOG-api-key', 'sk-3'], 'sk-3'],
    ['the bearer token before the others', ['x-goog-api-key', 'sk-3', 'x-api-key', 'sk-2', 'authorization', 'Bearer sk-1'], 'sk-1'],
    ['the x-api-key before the x-goog-api-key', ['x-goog-api-key', 'sk-3', 'x-api-key', 'sk-2'], 'sk-2'],
    ['the first of two of a kind', ['x-api-key', 'sk-1', 'X-API-KEY', 'sk-2'], 'sk-1'],
    ['no key in a Basic header, even beside a good one', ['authorization', 'Basic abc', 'x-api-key', 'sk-2'], ''],
    ['no key in an empty header, even beside a good one', ['authorization', '', 'x-api-key', 'sk-2'], ''],
    ['no key in a bare Bearer', ['authorization', 'Bearer', 'x-api-key', 'sk-2'], ''],
    ['no key in an empty x-api-key, even beside a good one', ['x-api-key', '', 'x-goog-api-key', 'sk-3'], ''],
    ['no key where two stand in one header', ['authorization', 'Bearer sk-1 sk-2'], ''],
    ['no key without the word Bearer', ['authorization', 'sk-1'], ''],
    ['none from the value of another header', ['x-note', 'x-api-key', 'y', 'z'], undefined],
    ['none from a name without a value', ['x-api-key'], undefined],
  ])('is %s', (_title, rawHeaders, key) => {
    expect(readCredential(rawHeaders)).toBe(key);
  });

  it('of 64 KB is looked at in constant time and cannot be a good one cut short', () => {
    const key = readCredential(['authorization', `Bearer ${'a'.repeat(65_536)}`]);
    expect(key?.length).toBeGreaterThan(256);
    expect(key?.length).toBeLessThan(1_000);
    expect(readCredential(['authorization', `Bearer${' '.repeat(65_536)}sk-1`])).toBe('');
  });
});

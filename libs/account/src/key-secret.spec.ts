import { describe, expect, it } from '@jest/globals';
import { keyDigest } from './key-digest.js';
import { KeyIssuer } from './keys.js';
import { checkKeyPrefix, lastFour, newKeySecret } from './key-secret.js';

describe('keys', () => {
  it('carry 256 random bits behind the prefix', () => {
    const keys = new Set(Array.from({ length: 100 }, () => newKeySecret('sk-')));
    expect(keys.size).toBe(100);
    for (const key of keys) {
      expect(key).toMatch(/^sk-[\w-]{43}$/);
      expect(Buffer.from(key.slice(3), 'base64url')).toHaveLength(32);
      expect(key.endsWith(lastFour(key))).toBe(true);
    }
  });

  it('have a digest of 32 bytes that needs the pepper', () => {
    const pepper = Buffer.alloc(32, 1);
    // RFC 4231, test case 2.
    expect(keyDigest(Buffer.from('Jefe'), 'what do ya want for nothing?').toString('hex')).toBe(
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    );
    expect(keyDigest(pepper, 'sk-a')).toHaveLength(32);
    expect(keyDigest(pepper, 'sk-a')).not.toEqual(keyDigest(Buffer.alloc(32, 2), 'sk-a'));
  });

  it.each(['', 'a b', '-sk', 'sk:', 'ü', 'x'.repeat(25)])('refuse the prefix %p with a sentence', (prefix) => {
    expect(() => checkKeyPrefix(prefix)).toThrow('cannot be a key prefix');
    expect(() => new KeyIssuer({ pepper: Buffer.alloc(32), prefix, ids: { next: () => '' } })).toThrow('cannot be a key prefix');
  });

  it('are not issued under a pepper that is too short', () => {
    expect(() => new KeyIssuer({ pepper: Buffer.alloc(31), prefix: 'sk-', ids: { next: () => '' } })).toThrow('pepper');
  });
});

import { createHmac, randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { KeyDigest, MAX_KEY_LENGTH } from './key-digest.js';

function hmac(pepper: Buffer, key: string): string {
  return createHmac('sha256', pepper).update(Buffer.from(key, 'latin1')).digest('binary');
}

const latin1 = fc.array(fc.nat({ max: 255 }), { maxLength: MAX_KEY_LENGTH }).map((codes) => String.fromCharCode(...codes));

describe('the digest of a key', () => {
  it('is HMAC-SHA-256, for any pepper and any key of up to 256 characters', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), fc.array(latin1, { minLength: 1, maxLength: 5 }), (bytes, keys) => {
        const pepper = Buffer.from(bytes);
        const digest = new KeyDigest(pepper);
        for (const key of keys) expect(digest.of(key)).toBe(hmac(pepper, key));
      }),
      { numRuns: 500 },
    );
  });

  it.each([1, 32, 63, 64, 65, 128])('is HMAC-SHA-256 with a pepper of %d bytes', (length) => {
    const pepper = randomBytes(length);
    const digest = new KeyDigest(pepper);
    for (const keyLength of [0, 1, 55, 56, 64, 255, 256]) {
      const key = 'k'.repeat(keyLength);
      expect(digest.of(key)).toBe(hmac(pepper, key));
    }
  });

  it('does not depend on the key before it', () => {
    const pepper = randomBytes(32);
    const digest = new KeyDigest(pepper);
    digest.of('x'.repeat(256));
    expect(digest.of('short')).toBe(hmac(pepper, 'short'));
  });

  it('is 32 bytes, each a character', () => {
    expect(Buffer.from(new KeyDigest(randomBytes(32)).of('sk'), 'latin1')).toHaveLength(32);
  });
});

import { describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { CredentialSeal } from './credential-seal.js';

const subject = { upstreamId: '01940000-0000-7000-8000-000000000001', version: 1 };
const seal = new CredentialSeal(randomBytes(32));

describe('sealed credentials', () => {
  it('open for the upstream and version they were sealed for', () => {
    for (const credential of ['', 'sk-proj-1', 'schlüssel 🔑', 'x'.repeat(5_000)]) {
      expect(seal.open(seal.seal(credential, subject), subject)).toBe(credential);
    }
  });

  it('do not open for another upstream, another version or with another key', () => {
    const sealed = seal.seal('secret', subject);
    expect(() => seal.open(sealed, { ...subject, version: 2 })).toThrow('does not open');
    expect(() => seal.open(sealed, { ...subject, upstreamId: 'other' })).toThrow('does not open');
    expect(() => new CredentialSeal(randomBytes(32)).open(sealed, subject)).toThrow('does not open');
  });

  it('do not open when any byte was changed or the end is missing', () => {
    const sealed = seal.seal('secret', subject);
    for (let at = 0; at < sealed.length; at += 1) {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(() => seal.open(changed, subject)).toThrow('does not open');
      expect(() => seal.open(sealed.subarray(0, at), subject)).toThrow('does not open');
    }
  });

  it('never repeat a nonce, and hold nothing of the credential', () => {
    const sealed = Array.from({ length: 50 }, () => seal.seal('secret-credential', subject));
    expect(new Set(sealed.map((bytes) => bytes.subarray(0, 12).toString('hex'))).size).toBe(50);
    expect(sealed.every((bytes) => !bytes.includes('secret'))).toBe(true);
  });

  it('need a key of 32 bytes', () => {
    expect(() => new CredentialSeal(Buffer.alloc(16))).toThrow('not 32');
  });
});

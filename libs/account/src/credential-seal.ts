import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** What a sealed credential belongs to: it opens nowhere else, so rows cannot be swapped or rolled back. */
export interface SealSubject {
  upstreamId: string;
  /** Rises with each new credential of the upstream. */
  version: number;
}

/**
 * Seals provider credentials with AES-256-GCM: nonce (12 bytes, random), tag (16), ciphertext. The key stays outside
 * the database.
 */
export class CredentialSeal {
  /** Throws a RangeError unless the key has 32 bytes. */
  constructor(private readonly key: Buffer) {
    if (key.length !== KEY_BYTES) throw new RangeError(`the sealing key has ${key.length} bytes, not ${KEY_BYTES}`);
  }

  seal(credential: string, subject: SealSubject): Buffer {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.key, nonce);
    cipher.setAAD(associatedData(subject));
    const sealed = Buffer.concat([cipher.update(credential, 'utf8'), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), sealed]);
  }

  /** Throws when the bytes were not sealed with this key for this subject. The error carries nothing secret. */
  open(sealed: Buffer, subject: SealSubject): string {
    if (sealed.length < NONCE_BYTES + TAG_BYTES) throw unopened(subject);
    const decipher = createDecipheriv('aes-256-gcm', this.key, sealed.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
    decipher.setAAD(associatedData(subject));
    decipher.setAuthTag(sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    try {
      return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]).toString('utf8');
    } catch (error) {
      throw unopened(subject, error);
    }
  }
}

function associatedData(subject: SealSubject): Buffer {
  return Buffer.from(`${subject.upstreamId}:${subject.version}`, 'utf8');
}

function unopened(subject: SealSubject, cause?: unknown): Error {
  return new Error(`The credential of upstream ${subject.upstreamId} does not open with this deployment's sealing key.`, { cause });
}

import { randomBytes } from 'node:crypto';

export const KEY_SECRET_BYTES = 32;
export const DEFAULT_KEY_PREFIX = 'sk-';

/** A prefix that survives an Authorization header, a shell and a double click. */
const PREFIX_PATTERN = /^[A-Za-z0-9][A-Za-z0-9_-]{0,23}$/;

/** Throws a RangeError with a sentence for a prefix that clients could not send. */
export function checkKeyPrefix(prefix: string): string {
  if (!PREFIX_PATTERN.test(prefix)) {
    throw new RangeError(`"${prefix}" cannot be a key prefix: use 1 to 24 letters, digits, "-" or "_", beginning with a letter or digit.`);
  }
  return prefix;
}

/** A new key: the prefix and 256 random bits in base64url. Shown once, never stored. */
export function newKeySecret(prefix: string): string {
  return prefix + randomBytes(KEY_SECRET_BYTES).toString('base64url');
}

/** What is kept in the clear, so that a person can tell keys apart. */
export function lastFour(key: string): string {
  return key.slice(-4);
}

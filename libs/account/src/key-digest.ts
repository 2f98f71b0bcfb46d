import { createHmac } from 'node:crypto';

/**
 * HMAC-SHA-256(pepper, key): all that is stored of a key. Keys have 256 random bits, so a slow hash would add nothing;
 * the pepper stays outside the database, so that a stolen database opens no door and a planted row is no key.
 */
export function keyDigest(pepper: Buffer, key: string): Buffer {
  return createHmac('sha256', pepper).update(key, 'utf8').digest();
}

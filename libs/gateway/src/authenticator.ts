import type { KeyRecord } from '@tokone/account-client';
import { GatewayError } from '@tokone/protocol';
import { noGatewayMetrics } from '@tokone/telemetry';
import type { GatewayMetrics } from '@tokone/telemetry';
import { readCredential } from './credential.js';
import { DirectoryUnavailableError } from './key-cache.js';
import type { KeyCache } from './key-cache.js';
import { MAX_KEY_LENGTH } from './key-digest.js';
import type { KeyDigest } from './key-digest.js';

/** Headers → key record, or the refusal. Works for a key whatever its balance. */
export class Authenticator {
  constructor(
    private readonly digest: KeyDigest,
    private readonly keys: KeyCache,
    private readonly metrics: Pick<GatewayMetrics, 'keyCache'> = noGatewayMetrics,
  ) {}

  /** A promise only when the directory has to be asked. Throws or rejects with a `GatewayError`. */
  authenticate(rawHeaders: readonly string[]): KeyRecord | Promise<KeyRecord> {
    const credential = readCredential(rawHeaders);
    if (credential === undefined) {
      throw new GatewayError('missing_key', 'No API key was sent. Send one as "Authorization: Bearer <key>", "x-api-key: <key>" or "x-goog-api-key: <key>".');
    }
    if (credential === '' || credential.length > MAX_KEY_LENGTH) throw invalidKey();
    const digest = this.digest.of(credential);
    const known = this.keys.peek(digest);
    this.metrics.keyCache(known ? 'hit' : 'miss');
    return known ? checkState(known) : this.find(digest);
  }

  private async find(digest: string): Promise<KeyRecord> {
    let record: KeyRecord | undefined;
    try {
      record = await this.keys.find(digest);
    } catch (cause) {
      if (!(cause instanceof DirectoryUnavailableError)) throw cause;
      throw new GatewayError('not_ready', 'Keys cannot be checked right now. Send the request again in a moment.', { retryAfterSeconds: 1, cause });
    }
    if (!record) throw invalidKey();
    return checkState(record);
  }
}

/** For what costs money or tells what could be bought; what was used stays visible to a suspended account. */
export function requireActiveAccount({ accountStatus }: KeyRecord): void {
  if (accountStatus !== 'active') throw new GatewayError('account_suspended', 'This account is suspended. Ask the operator.');
}

function checkState(record: KeyRecord): KeyRecord {
  if (record.status === 'disabled') throw new GatewayError('disabled_key', 'This API key was disabled. Use another key or create one.');
  return record;
}

function invalidKey(): GatewayError {
  return new GatewayError('invalid_key', 'This is no API key of this deployment. The first of the headers Authorization, x-api-key, x-goog-api-key decides.');
}

import { TRACEPARENT } from '@tokone/protocol';
import { z } from 'zod';

/** What of an account's data is no longer as it was. */
export const ACCOUNT_CHANGES = ['key', 'group', 'account', 'upstream', 'multiplier'] as const;

/**
 * `account.changed`: something that others may have in a cache is no longer as it was. Published by account's outbox
 * (at least once, in any order), read by every process that has such a cache. It names what to forget and never what it
 * became: a reader that misses one, or gets it twice, is late or asks once too often, and is never wrong.
 */
export const accountChangedSchema = z.object({
  schema: z.literal(1),
  id: z.uuid(),
  /** Milliseconds since 1970. */
  at: z.number().int().min(0),
  traceparent: z.string().regex(TRACEPARENT).nullable(),
  kind: z.enum(ACCOUNT_CHANGES),
  /** Of a changed key: its HMAC-SHA-256 digest in base64url, under which caches hold it. Never the key. */
  keyDigest: z.string().regex(/^[A-Za-z0-9_-]{43}$/).optional(),
  accountId: z.uuid().optional(),
  groupId: z.string().min(1).max(64).optional(),
});

export type AccountChanged = z.output<typeof accountChangedSchema>;

export function writeAccountChanged(event: AccountChanged): string {
  return JSON.stringify(event);
}

/** Throws a ZodError or SyntaxError on anything that is not an `account.changed` of schema 1. */
export function readAccountChanged(text: string): AccountChanged {
  return accountChangedSchema.parse(JSON.parse(text));
}

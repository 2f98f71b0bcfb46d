import { TRACEPARENT } from '@tokone/protocol';
import { z } from 'zod';

/**
 * `usage.dead`: a record of `usage.recorded` that billing could not read, or its database could not store. Published
 * (at least once) for people and their tools; the record itself stays in billing's table. Nothing was charged for it.
 */
export const usageDeadSchema = z.object({
  schema: z.literal(1),
  id: z.uuid(),
  /** Milliseconds since 1970. */
  at: z.number().int().min(0),
  traceparent: z.string().regex(TRACEPARENT).nullable(),
  reason: z.string(),
  /** Where it stood in `usage.recorded`. */
  logPartition: z.string(),
  /** Decimal. */
  logOffset: z.string().regex(/^\d+$/),
  /** The record's bytes in base64. */
  raw: z.base64(),
});

export type UsageDead = z.output<typeof usageDeadSchema>;

export function writeUsageDead(event: UsageDead): string {
  return JSON.stringify(event);
}

/** Throws a ZodError or SyntaxError on anything that is not a `usage.dead` of schema 1. */
export function readUsageDead(text: string): UsageDead {
  return usageDeadSchema.parse(JSON.parse(text));
}

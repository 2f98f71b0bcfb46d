import { TRACEPARENT } from '@tokone/protocol';
import { z } from 'zod';

const nanoUsd = z.string().regex(/^\d{1,18}$/).transform(BigInt);
const charges = z
  .array(
    z.object({
      id: z.uuid(),
      accountId: z.uuid(),
      ratedNanoUsd: nanoUsd,
      chargeNanoUsd: nanoUsd,
      /** Of the span that rated the request; absent unless the request is recorded. */
      traceparent: z.string().regex(TRACEPARENT).optional(),
    }),
  )
  .min(1)
  .max(5000);

/**
 * `charge.rated`: one batch of rated requests, published by billing's outbox (at least once), posted by account
 * (each charge's `id` once for ever). `chargeNanoUsd` ≤ `ratedNanoUsd`: it is what admission granted; the difference
 * is booked to the deployment's write-off account. The batch's own `id` and `at` are those of its publication: a batch
 * that is published again has others, and the same charges.
 */
export const chargeRatedSchema = z.object({
  schema: z.literal(2),
  id: z.uuid(),
  /** Milliseconds since 1970. */
  at: z.number().int().min(0),
  /** Of the publication: a batch holds requests of many traces, each with its own where it is recorded. */
  traceparent: z.string().regex(TRACEPARENT).nullable(),
  charges,
});

/** The previous schema had nothing but the charges. */
const firstSchema = z.object({ schema: z.literal(1), charges });

const anySchema = z.discriminatedUnion('schema', [chargeRatedSchema, firstSchema]);

export type ChargeRated = z.output<typeof chargeRatedSchema>;
export type RatedCharge = ChargeRated['charges'][number];

export function writeChargeRated(event: ChargeRated): string {
  // Money is written by hand: a replacer would be called for each value of each charge.
  const { schema, id, at, traceparent, charges: rated } = event;
  const written = rated.map(({ id: chargeId, accountId, ratedNanoUsd, chargeNanoUsd, traceparent: recorded }) => ({ id: chargeId, accountId, ratedNanoUsd: ratedNanoUsd.toString(), chargeNanoUsd: chargeNanoUsd.toString(), traceparent: recorded }));
  return JSON.stringify({ schema, id, at, traceparent, charges: written });
}

/** The charges of an event of this schema or of the previous one. Throws a ZodError or SyntaxError on anything else. */
export function readCharges(text: string): RatedCharge[] {
  return anySchema.parse(JSON.parse(text)).charges;
}

import { z } from 'zod';

const nanoUsd = z.string().regex(/^\d{1,18}$/).transform(BigInt);

/**
 * `charge.rated`: one batch of rated requests, published by billing's outbox (at least once), posted by account
 * (each `id` once for ever). `chargeNanoUsd` ≤ `ratedNanoUsd`: it is what admission granted; the difference is
 * booked to the deployment's write-off account.
 */
export const chargeRatedSchema = z.object({
  schema: z.literal(1),
  charges: z
    .array(
      z.object({
        id: z.uuid(),
        accountId: z.uuid(),
        ratedNanoUsd: nanoUsd,
        chargeNanoUsd: nanoUsd,
      }),
    )
    .min(1)
    .max(5000),
});

export type ChargeRated = z.output<typeof chargeRatedSchema>;
export type RatedCharge = ChargeRated['charges'][number];

export function writeChargeRated(event: ChargeRated): string {
  return JSON.stringify(event, (_name, value: unknown) => (typeof value === 'bigint' ? value.toString() : value));
}

export function readChargeRated(text: string): ChargeRated {
  return chargeRatedSchema.parse(JSON.parse(text));
}

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { readChargeRated, writeChargeRated } from './charge-rated.js';
import type { ChargeRated } from './charge-rated.js';

const charge = { id: '019ab1c2-0000-7000-8000-000000000001', accountId: '019ab1c2-0000-7000-8000-000000000002', ratedNanoUsd: 9_007_199_254_740_993n, chargeNanoUsd: 0n };

describe('charge.rated', () => {
  it('comes back as it was written, for every amount', () => {
    const nanoUsd = fc.bigInt({ min: 0n, max: 10n ** 18n - 1n });
    const charges = fc.array(fc.record({ id: fc.uuid(), accountId: fc.uuid(), ratedNanoUsd: nanoUsd, chargeNanoUsd: nanoUsd }), { minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(charges, (list) => {
        const batch: ChargeRated = { schema: 1, charges: list };
        expect(readChargeRated(writeChargeRated(batch))).toEqual(batch);
      }),
    );
  });

  it('holds up to 5,000 charges', () => {
    const batch: ChargeRated = { schema: 1, charges: Array.from({ length: 5_000 }, () => charge) };
    expect(readChargeRated(writeChargeRated(batch))).toEqual(batch);
    expect(() => readChargeRated(writeChargeRated({ schema: 1, charges: [...batch.charges, charge] }))).toThrow();
  });

  it.each<[string, unknown]>([
    ['no charge', { schema: 1, charges: [] }],
    ['another schema', { schema: 2, charges: [{ ...charge, ratedNanoUsd: '1', chargeNanoUsd: '1' }] }],
    ['money as a number', { schema: 1, charges: [{ ...charge, ratedNanoUsd: 1, chargeNanoUsd: '1' }] }],
    ['negative money', { schema: 1, charges: [{ ...charge, ratedNanoUsd: '1', chargeNanoUsd: '-1' }] }],
    ['an id that is none', { schema: 1, charges: [{ ...charge, id: 'x', ratedNanoUsd: '1', chargeNanoUsd: '1' }] }],
    ['no account', { schema: 1, charges: [{ id: charge.id, ratedNanoUsd: '1', chargeNanoUsd: '1' }] }],
    ['one bad charge among good ones', { schema: 1, charges: [{ ...charge, ratedNanoUsd: '1', chargeNanoUsd: '1' }, {}] }],
  ])('with %s is refused', (_title, batch) => {
    expect(() => readChargeRated(JSON.stringify(batch))).toThrow();
  });
});

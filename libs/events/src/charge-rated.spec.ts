import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { readCharges, writeChargeRated } from './charge-rated.js';
import type { ChargeRated, RatedCharge } from './charge-rated.js';

const charge = { id: '019ab1c2-0000-7000-8000-000000000001', accountId: '019ab1c2-0000-7000-8000-000000000002', ratedNanoUsd: 9_007_199_254_740_993n, chargeNanoUsd: 0n };
const wireCharge = { ...charge, ratedNanoUsd: '1', chargeNanoUsd: '1' };
const head = { schema: 2, id: '019ab1c2-0000-7000-8000-000000000009', at: 1_767_225_600_000, traceparent: '00-019ab1c2000070008000000000000009-8000000000000009-00' } as const;
const batchOf = (charges: RatedCharge[]): ChargeRated => ({ ...head, charges });

describe('charge.rated', () => {
  it('comes back as it was written, for every amount', () => {
    const nanoUsd = fc.bigInt({ min: 0n, max: 10n ** 18n - 1n });
    const charges = fc.array(fc.record({ id: fc.uuid(), accountId: fc.uuid(), ratedNanoUsd: nanoUsd, chargeNanoUsd: nanoUsd }), { minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(charges, (list) => {
        expect(readCharges(writeChargeRated(batchOf(list)))).toEqual(list);
      }),
    );
  });

  it('of the previous schema is read', () => {
    const stored = readFileSync(new URL('./fixtures/charge-rated-1.json', import.meta.url), 'utf8');
    expect(readCharges(stored)).toEqual([charge, { ...charge, id: '019ab1c2-0000-7000-8000-000000000005', ratedNanoUsd: 125n, chargeNanoUsd: 125n }]);
  });

  it('carries the trace of a charge whose request is recorded, and not a byte of it for the others', () => {
    const recorded = { ...charge, traceparent: '00-019ab1c2000070008000000000000001-00000000000000aa-01' };
    const text = writeChargeRated(batchOf([charge, recorded]));
    expect(readCharges(text)).toEqual([charge, recorded]);
    expect(text.split('"traceparent"')).toHaveLength(3);
    expect(() => readCharges(writeChargeRated(batchOf([{ ...charge, traceparent: 'x' }])))).toThrow();
  });

  it('holds up to 5,000 charges', () => {
    const charges = Array.from({ length: 5_000 }, () => charge);
    expect(readCharges(writeChargeRated(batchOf(charges)))).toEqual(charges);
    expect(() => readCharges(writeChargeRated(batchOf([...charges, charge])))).toThrow();
  });

  it.each<[string, unknown]>([
    ['no charge', { ...head, charges: [] }],
    ['a schema to come', { ...head, schema: 3, charges: [wireCharge] }],
    ['no id of its own', { ...head, id: undefined, charges: [wireCharge] }],
    ['no time', { ...head, at: undefined, charges: [wireCharge] }],
    ['a trace context that is none', { ...head, traceparent: 'x', charges: [wireCharge] }],
    ['money as a number', { ...head, charges: [{ ...wireCharge, ratedNanoUsd: 1 }] }],
    ['negative money', { ...head, charges: [{ ...wireCharge, chargeNanoUsd: '-1' }] }],
    ['an id that is none', { ...head, charges: [{ ...wireCharge, id: 'x' }] }],
    ['no account', { ...head, charges: [{ ...wireCharge, accountId: undefined }] }],
    ['one bad charge among good ones', { ...head, charges: [wireCharge, {}] }],
    ['one bad charge in the previous schema', { schema: 1, charges: [wireCharge, {}] }],
  ])('with %s is refused', (_title, batch) => {
    expect(() => readCharges(JSON.stringify(batch))).toThrow();
  });
});

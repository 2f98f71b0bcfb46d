import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { LARGEST_CHARGE_NANO_USD, assertBalanced, chargeHash, debitsOf, isPostable, shardOf, topUpLegs } from './ledger.js';

const charge = { id: '01940000-0000-7000-8000-000000000001', accountId: '01940000-0000-7000-8000-00000000000a', ratedNanoUsd: 5n, chargeNanoUsd: 3n };

describe('ledger rules', () => {
  it('never debits more than the wallet holds or a charge asks, and leaves nothing while a charge is short', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 1_000n), fc.array(fc.bigInt(0n, 300n)), (balance, charges) => {
        const debits = debitsOf(balance, charges);
        let left = balance;
        for (const [index, debit] of debits.entries()) {
          const asked = charges[index] ?? 0n;
          left -= debit;
          expect(debit <= asked && left >= 0n).toBe(true);
          if (debit < asked) expect(left).toBe(0n);
        }
      }),
    );
  });

  it.each([
    [{ ...charge }, true],
    [{ ...charge, ratedNanoUsd: 0n, chargeNanoUsd: 0n }, true],
    [{ ...charge, chargeNanoUsd: 6n }, false],
    [{ ...charge, chargeNanoUsd: -1n }, false],
    [{ ...charge, ratedNanoUsd: LARGEST_CHARGE_NANO_USD }, true],
    [{ ...charge, ratedNanoUsd: LARGEST_CHARGE_NANO_USD + 1n }, false],
  ])('lets only charges be posted that are within what was rated: %p → %p', (candidate, postable) => {
    expect(isPostable(candidate)).toBe(postable);
  });

  it('refuses legs that do not sum to 0, a leg of 0, and a transfer of one leg', () => {
    expect(() => assertBalanced(topUpLegs(5n))).not.toThrow();
    expect(() => assertBalanced([{ kind: 'wallet', amountNanoUsd: 5n }, { kind: 'revenue', amountNanoUsd: -4n }])).toThrow('sum to 1');
    expect(() => assertBalanced(topUpLegs(0n))).toThrow('none of 0');
    expect(() => assertBalanced([])).toThrow('two legs');
  });

  it('hashes equal charges equally, and any other account or amount differently', () => {
    const hash = chargeHash(charge);
    expect(chargeHash({ ...charge, accountId: charge.accountId.toUpperCase() })).toEqual(hash);
    expect(chargeHash({ ...charge, ratedNanoUsd: 6n })).not.toEqual(hash);
    expect(chargeHash({ ...charge, chargeNanoUsd: 4n })).not.toEqual(hash);
    expect(chargeHash({ ...charge, accountId: charge.id })).not.toEqual(hash);
  });

  it('spreads batches over all shards', () => {
    const shards = new Set(Array.from({ length: 400 }, (_, amount) => shardOf(chargeHash({ ...charge, ratedNanoUsd: BigInt(amount) }))));
    expect([...shards].sort((a, b) => a - b)).toEqual(Array.from({ length: 16 }, (_, shard) => shard));
  });
});

import { describe, expect, it } from '@jest/globals';
import { partitionOf, type RatedCharge } from '@tokone/events';
import { byPartition } from './event-publishers.js';

function chargeOf(number: number): RatedCharge {
  const accountId = `00000000-0000-7000-8000-${number.toString(16).padStart(12, '0')}`;
  return { id: accountId, accountId, ratedNanoUsd: 1n, chargeNanoUsd: 1n };
}

describe('byPartition', () => {
  it('puts each charge to its account, in order, and loses none', () => {
    const charges = Array.from({ length: 200 }, (_, index) => chargeOf(index % 40));
    const shares = byPartition(charges);
    expect([...shares.values()].reduce((sum, share) => sum + share.length, 0)).toBe(200);
    for (const [partition, share] of shares) {
      expect(share).toEqual(charges.filter(({ accountId }) => partitionOf(accountId) === partition));
    }
  });
});

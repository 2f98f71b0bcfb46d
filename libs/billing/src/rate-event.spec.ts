import { describe, expect, it } from '@jest/globals';
import type { PriceSnapshot } from '@tokone/pricing';
import { refusedEvent, usageEvent } from './fixtures/usage-events.js';
import { rateEvent } from './rate-event.js';

const price: PriceSnapshot = {
  id: '1/test-model',
  model: 'test-model',
  platform: 'openai',
  maxInputTokens: 100_000,
  maxOutputTokens: 10_000,
  tiers: {
    default: [{ aboveInputTokens: 0, nanoUsdPerMillion: { input: 1_000_000_000n, cacheRead: 100_000_000n, output: 2_000_000_000n } }],
    flex: [{ aboveInputTokens: 0, nanoUsdPerMillion: { input: 500_000_000n, output: 1_000_000_000n } }],
  },
  unitNanoUsd: { web_search: 10_000_000n },
};
const plenty = { holdNanoUsd: 10n ** 15n, grantNanoUsd: 10n ** 15n };

describe('rateEvent', () => {
  it('rates tokens and units at the snapshot and keeps the list amount apart from the multiplier', () => {
    const event = usageEvent({ tokens: { input: 1_000, cacheRead: 500, output: 100 }, units: { web_search: 2 }, multiplierPpm: 1_500_000, ...plenty });
    expect(rateEvent(event, price)).toMatchObject({ kind: 'rated', listNanoUsd: 21_250_000n, ratedNanoUsd: 31_875_000n, chargeNanoUsd: 31_875_000n });
  });

  it("takes the prices of the tier that the provider reported", () => {
    expect(rateEvent(usageEvent({ serviceTier: 'flex', ...plenty }), price)).toMatchObject({ ratedNanoUsd: 500_000n });
  });

  it('charges an estimated event on its tokens', () => {
    const event = usageEvent({ estimated: true, outcome: 'client_left', rawUsage: null });
    expect(rateEvent(event, price)).toMatchObject({ chargeNanoUsd: 1_000_000n });
  });

  it.each([
    ['the same', 1_000_000n, 1_000_000n, 1_000_000n, false],
    ['the same, below the hold', 5_000_000n, 1_000_000n, 1_000_000n, false],
    ['less, because the balance was empty above the hold', 400_000n, 400_000n, 400_000n, false],
    ['less, though the hold covered it', 1_000_000n, 900_000n, 900_000n, true],
    ['more than rated', 5_000_000n, 1_000_001n, 1_000_000n, true],
  ])('charges the smaller of rated and grant when the gateway granted %s', (_case, holdNanoUsd, grantNanoUsd, chargeNanoUsd, disagreement) => {
    const rated = rateEvent(usageEvent({ holdNanoUsd, grantNanoUsd }), price);
    expect(rated).toMatchObject({ kind: 'rated', ratedNanoUsd: 1_000_000n, chargeNanoUsd, disagreement });
  });

  it.each([
    ['a refused request', refusedEvent()],
    ['an admitted request that used nothing', usageEvent({ tokens: {}, outcome: 'upstream_failed', status: 502, grantNanoUsd: 0n })],
    ['one that used nothing and names no price', usageEvent({ tokens: {}, priceId: null, grantNanoUsd: 0n })],
  ])('rates %s 0 without a price', (_case, event) => {
    expect(rateEvent(event, undefined)).toEqual({ kind: 'rated', listNanoUsd: 0n, ratedNanoUsd: 0n, chargeNanoUsd: 0n, disagreement: false });
  });

  it.each([
    ['without a price', usageEvent({ priceId: null }), undefined, 'no_price'],
    ['whose price id nobody knows', usageEvent({ priceId: '7/gone' }), undefined, 'no_price'],
    ['with a class that has no price', usageEvent({ tokens: { outputAudio: 1 } }), price, 'unpriced'],
    ['with a unit that has no price', usageEvent({ units: { maps: 1 } }), price, 'unpriced'],
    ['with a unit that is called like a method', usageEvent({ units: { toString: 2 ** 41 } }), price, 'absurd_count'],
    ['with more than 2^40 tokens', usageEvent({ tokens: { input: 2 ** 40 + 1 } }), price, 'absurd_count'],
    ['with a fraction of a token', usageEvent({ tokens: { input: 0.5 } }), price, 'absurd_count'],
    ['with a negative count', usageEvent({ tokens: { input: -1 } }), price, 'absurd_count'],
    ['with an absurd multiplier', usageEvent({ multiplierPpm: 2 ** 41 }), price, 'absurd_count'],
    ['that costs more than a billion USD', usageEvent({ tokens: { input: 2 ** 40 }, multiplierPpm: 2 ** 40 }), price, 'absurd_amount'],
    ['that was refused and yet used tokens', refusedEvent({ tokens: usageEvent().tokens }), price, 'refused_with_usage'],
  ] as const)('parks an event %s, and never charges it 0', (_case, event, snapshot, reason) => {
    expect(rateEvent(event, snapshot)).toMatchObject({ kind: 'parked', reason });
  });
});

import { describe, expect, it } from '@jest/globals';
import { noTokens } from '@tokone/protocol';
import { writeChargeStatement } from './charge-document.js';
import type { RatedStatement } from './charge-statement.js';

const STATEMENT: RatedStatement = {
  state: 'rated',
  waived: null, requestId: 'r', accountId: 'a', keyId: 'k', groupId: 'g', model: 'gpt-5.5', dialect: 'openai-chat', streamed: false, status: 200,
  outcome: 'completed', errorCode: null, estimated: false, odd: false, tokens: { ...noTokens(), input: 10, output: 5 }, units: { web_search: 1 }, serviceTier: null,
  billedTier: 'default', priceId: '1/gpt-5.5', multiplierPpm: 1_250_000,
  lines: [
    { item: 'input', quantity: 10, priceNanoUsd: 5_000_000_000n, amountNanoUsd: 62_500n },
    { item: 'web_search', quantity: 1, priceNanoUsd: 10_000_000n, amountNanoUsd: 12_500_000n },
  ],
  recomputed: true, listNanoUsd: 10_050_000n, ratedNanoUsd: 12_562_500n, holdNanoUsd: 2_500_000_000n, grantNanoUsd: 12_562_500n, chargeNanoUsd: 12_562_500n,
  writeOffNanoUsd: 0n, upstreamId: null, upstreamRequestId: null, rawUsage: null, startedAtMs: 0, firstByteAtMs: null, endedAtMs: 1_000, ratedAtMs: 2_000,
};

describe('a charge as a document', () => {
  it('is JSON: money in USD, times in ISO 8601, only what was used', () => {
    expect(JSON.parse(JSON.stringify(writeChargeStatement(STATEMENT)))).toMatchObject({
      model: 'gpt-5.5', multiplier: '1.25', tokens: { input: 10, output: 5 }, rated: '0.0125625', charge: '0.0125625', held: '2.50', writeOff: '0.00', list: '0.01005',
      lines: [
        { item: 'input', quantity: 10, price: '5.00', per: 'million tokens', amount: '0.0000625' },
        { item: 'web_search', quantity: 1, price: '0.01', per: 'unit', amount: '0.0125' },
      ],
      startedAt: '1970-01-01T00:00:00.000Z', firstByteAt: null, endedAt: '1970-01-01T00:00:01.000Z',
    });
  });

  it.each([[1_000_000, '1'], [800_000, '0.8'], [1, '0.000001'], [0, '0'], [12_500_000, '12.5']])('writes %i parts per million as %s', (multiplierPpm, multiplier) => {
    expect(writeChargeStatement({ ...STATEMENT, multiplierPpm })).toMatchObject({ multiplier });
  });

  it('says of a parked request why it waits', () => {
    const parked = { state: 'parked', requestId: 'r', reason: 'no_price', detail: 'd', remedy: 'Wait.' } as const;
    expect(writeChargeStatement({ ...parked, parkedAtMs: 0 })).toEqual({ ...parked, parkedAt: '1970-01-01T00:00:00.000Z' });
  });
});

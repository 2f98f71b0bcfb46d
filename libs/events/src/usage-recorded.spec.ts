import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { USAGE_OUTCOMES, readUsageRecorded, writeUsageRecorded } from './usage-recorded.js';
import type { UsageRecorded } from './usage-recorded.js';

const event: UsageRecorded = {
  schema: 2,
  id: '019ab1c2-0000-7000-8000-000000000001',
  traceparent: '00-019ab1c2000070008000000000000001-8000000000000001-00',
  accountId: '019ab1c2-0000-7000-8000-000000000002',
  keyId: '019ab1c2-0000-7000-8000-000000000003',
  groupId: '019ab1c2-0000-7000-8000-000000000004',
  model: 'gpt-5',
  dialect: 'openai-chat',
  streamed: true,
  status: 200,
  outcome: 'completed',
  errorCode: null,
  count: 1,
  tokens: { input: 1, cacheRead: 2, cacheWrite5m: 3, cacheWrite1h: 4, inputAudio: 5, output: 6, reasoning: 7, outputAudio: 8, outputImage: 9 },
  units: { web_search: 1 },
  serviceTier: 'default',
  estimated: false,
  odd: false,
  priceId: 'gpt-5@1',
  multiplierPpm: 1_000_000,
  holdNanoUsd: 999_999_999_999_999_999n,
  grantNanoUsd: 0n,
  upstreamId: 'u',
  upstreamRequestId: null,
  rawUsage: '{"prompt_tokens":1,"text":"ü"}',
  startedAtMs: 1_767_225_600_000,
  firstByteAtMs: null,
  endedAtMs: 1_767_225_600_001,
  requestBytes: 10,
  answerBytes: 20,
};

/** The event on the wire, with members changed or, where undefined, removed. */
function textWith(change: Record<string, unknown>): string {
  return JSON.stringify({ ...(JSON.parse(writeUsageRecorded(event)) as object), ...change });
}

describe('usage.recorded', () => {
  it('comes back as it was written, money beyond 2^53 included', () => {
    expect(readUsageRecorded(writeUsageRecorded(event))).toEqual(event);
  });

  it('writes money as decimal strings', () => {
    expect(JSON.parse(writeUsageRecorded(event))).toMatchObject({ holdNanoUsd: '999999999999999999', grantNanoUsd: '0' });
  });

  it('comes back for every amount, count and text', () => {
    const count = fc.nat({ max: Number.MAX_SAFE_INTEGER });
    const changes = fc.record({
      holdNanoUsd: fc.bigInt({ min: 0n, max: 10n ** 18n - 1n }),
      grantNanoUsd: fc.bigInt({ min: 0n, max: 10n ** 18n - 1n }),
      tokens: fc.record({ input: count, cacheRead: count, cacheWrite5m: count, cacheWrite1h: count, inputAudio: count, output: count, reasoning: count, outputAudio: count, outputImage: count }),
      units: fc.dictionary(fc.string().filter((name) => name !== '__proto__'), count),
      outcome: fc.constantFrom(...USAGE_OUTCOMES),
      model: fc.string({ maxLength: 128, unit: 'binary' }),
      rawUsage: fc.option(fc.string({ maxLength: 512, unit: 'binary' })),
    });
    fc.assert(
      fc.property(changes, (change) => {
        const changed = { ...event, ...change, units: { ...change.units } };
        expect(readUsageRecorded(writeUsageRecorded(changed))).toEqual(changed);
      }),
    );
  });

  it.each<[string, Record<string, unknown>]>([
    ['a schema to come', { schema: 3 }],
    ['no schema', { schema: undefined }],
    ['no trace context, though it is schema 2', { traceparent: undefined }],
    ['a trace context that is none', { traceparent: '00-1-2-00' }],
    ['an id that is none', { id: '1' }],
    ['an account that is none', { accountId: "'; --" }],
    ['no key', { keyId: undefined }],
    ['a negative count of tokens', { tokens: { ...event.tokens, input: -1 } }],
    ['half a token', { tokens: { ...event.tokens, output: 0.5 } }],
    ['more tokens than a number holds', { tokens: { ...event.tokens, output: 2 ** 60 } }],
    ['a class that is missing', { tokens: { ...event.tokens, reasoning: undefined } }],
    ['a class that nobody knows', { tokens: { ...event.tokens, video: 1 } }],
    ['a negative unit', { units: { web_search: -1 } }],
    ['money as a number', { holdNanoUsd: 5 }],
    ['negative money', { grantNanoUsd: '-5' }],
    ['money with a fraction', { grantNanoUsd: '5.0' }],
    ['money in hexadecimal', { grantNanoUsd: '0x5' }],
    ['no money', { grantNanoUsd: '' }],
    ['money beyond a billion USD', { holdNanoUsd: '1'.repeat(19) }],
    ['an outcome that nobody knows', { outcome: 'fine' }],
    ['a status that is none', { status: 99 }],
    ['a status as text', { status: '200' }],
    ['a count of none', { count: 0 }],
    ['a negative multiplier', { multiplierPpm: -1 }],
    ['a model name without end', { model: 'm'.repeat(257) }],
    ['raw usage without end', { rawUsage: 'x'.repeat(8_193) }],
    ['a time as text', { startedAtMs: 'now' }],
  ])('with %s is refused', (_title, change) => {
    expect(() => readUsageRecorded(textWith(change))).toThrow();
  });

  it.each(['', 'null', '[]', '"x"', '{', '{}', `${writeUsageRecorded(event)}x`])('is not %p', (text) => {
    expect(() => readUsageRecorded(text)).toThrow();
  });

  it('of the previous schema is read, without a trace context', () => {
    const stored = readFileSync(new URL('./fixtures/usage-recorded-1.json', import.meta.url), 'utf8');
    const read = readUsageRecorded(stored);
    expect(read).toMatchObject({ schema: 2, traceparent: null, id: event.id, grantNanoUsd: 12_500_000n, endedAtMs: event.endedAtMs });
    expect(readUsageRecorded(writeUsageRecorded(read))).toEqual(read);
  });

  it('may carry members that a later version adds', () => {
    expect(readUsageRecorded(textWith({ region: 'eu' }))).toEqual(event);
  });
});

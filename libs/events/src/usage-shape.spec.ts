import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { USAGE_OUTCOMES, usageRecordedSchema } from './usage-recorded.js';
import { isPlainUsage } from './usage-shape.js';

const OUTCOMES = new Set<unknown>(USAGE_OUTCOMES);
const tokens = { input: 180, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0, inputAudio: 0, output: 64, reasoning: 0, outputAudio: 0, outputImage: 0 };
const plain: Readonly<Record<string, unknown>> = {
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
  tokens,
  units: { web_search: 1 },
  serviceTier: null,
  estimated: false,
  odd: false,
  priceId: '1/gpt-5',
  multiplierPpm: 1_000_000,
  holdNanoUsd: '20000000',
  grantNanoUsd: '3200000',
  upstreamId: 'u',
  upstreamRequestId: null,
  rawUsage: '{}',
  startedAtMs: 1_767_225_600_000,
  firstByteAtMs: null,
  endedAtMs: 1_767_225_600_001,
  requestBytes: 10,
  answerBytes: 20,
};

/** What a member may be instead, at the edges of every rule and beyond them. */
const odd = fc.oneof(
  fc.constantFrom<unknown>(null, true, [], {}, '', '0', '-1', '1'.repeat(18), '1'.repeat(19), ' 5', '5\n', 'x'.repeat(33), 'x'.repeat(65), 'x'.repeat(201), 'x'.repeat(257), 'x'.repeat(8_193)),
  fc.constantFrom<unknown>(0, -0, 1, 2, -1, 0.5, 99, 100, 599, 600, 2 ** 53, 2 ** 53 - 1, 1e400),
  fc.constantFrom<unknown>('019AB1C2-0000-7000-8000-000000000001', '019ab1c2-0000-9000-8000-000000000001', '019ab1c2-0000-7000-c000-000000000001', '00000000-0000-0000-0000-000000000000'),
  fc.constantFrom<unknown>({ ...tokens, video: 1 }, { ...tokens, output: -1 }, { input: 1 }, { a: 1, b: 2 }, { a: -1 }, { a: 'x' }),
  fc.jsonValue(),
);

describe('isPlainUsage', () => {
  it('knows an event as we write it', () => {
    expect(isPlainUsage(plain, OUTCOMES)).toBe(true);
  });

  it('has the number of members that the schema has', () => {
    expect(Object.keys(usageRecordedSchema.shape).sort()).toEqual(Object.keys(plain).sort());
    expect(Object.keys(usageRecordedSchema.shape.tokens.shape).sort()).toEqual(Object.keys(tokens).sort());
  });

  it('takes nothing that the schema refuses, and nothing that the schema would change but for money', () => {
    const change = fc.dictionary(fc.constantFrom(...Object.keys(plain), 'region'), odd, { minKeys: 1, maxKeys: 2 });
    fc.assert(
      fc.property(change, fc.option(fc.constantFrom(...Object.keys(plain))), (changed, removed) => {
        const members = Object.entries({ ...plain, ...changed }).filter(([name]) => name !== removed);
        // As it comes: out of JSON.
        const value: unknown = JSON.parse(JSON.stringify(Object.fromEntries(members)));
        if (!isPlainUsage(value, OUTCOMES)) return;
        const read = usageRecordedSchema.safeParse(value);
        const { holdNanoUsd, grantNanoUsd } = value;
        expect(read.data).toEqual({ ...value, holdNanoUsd: BigInt(String(holdNanoUsd)), grantNanoUsd: BigInt(String(grantNanoUsd)) });
      }),
      { numRuns: 3_000 },
    );
  });

  it.each(Object.keys(plain))('leaves an event without %s, or with nonsense for it, to the schema', (name) => {
    const { [name]: _left, ...rest } = plain;
    expect(isPlainUsage(rest, OUTCOMES)).toBe(false);
    expect(isPlainUsage({ ...rest, other: 1 }, OUTCOMES)).toBe(false);
    expect(isPlainUsage({ ...plain, [name]: Symbol.iterator }, OUTCOMES)).toBe(false);
  });

  it.each([[null], ['x'], [[]], [7]])('leaves %j to the schema', (value) => {
    expect(isPlainUsage(value, OUTCOMES)).toBe(false);
  });
});

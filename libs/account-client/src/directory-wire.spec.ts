import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { GroupRecord, KeyRecord } from './account-directory.js';
import {
  keyQuestion,
  readBalanceAnswer,
  readGroupsAnswer,
  readKeyAnswer,
  readUpstreamsAnswer,
  writeBalanceAnswer,
  writeGroupsAnswer,
  writeKeyAnswer,
  writeKeyQuestion,
  writeUpstreamsAnswer,
} from './directory-wire.js';
import { LIMIT_SCOPES, MOST_LIMIT } from './request-limits.js';
import type { ScopedLimits } from './request-limits.js';
import type { Upstream } from './upstream-directory.js';

/** Through the wire. */
const sent = (message: object): unknown => JSON.parse(JSON.stringify(message));

const text = fc.string({ unit: 'binary' });
const platform = fc.constantFrom('openai' as const, 'anthropic' as const, 'gemini' as const);
const models = fc.option(fc.array(text).map((names): ReadonlySet<string> => new Set(names)), { nil: undefined });
const limit = fc.integer({ min: 1, max: MOST_LIMIT });
const limits: fc.Arbitrary<ScopedLimits> = fc.record(
  { scope: fc.constantFrom(...LIMIT_SCOPES), id: text, requestsPerMinute: limit, tokensPerMinute: limit, concurrentRequests: limit },
  { requiredKeys: ['scope', 'id'] },
);
const key: fc.Arbitrary<KeyRecord> = fc.record({
  keyId: text,
  accountId: text,
  groupId: text,
  groupName: text,
  platform,
  models,
  multiplierPpm: fc.nat(),
  status: fc.constantFrom('active' as const, 'disabled' as const),
  accountStatus: fc.constantFrom('active' as const, 'suspended' as const),
  limits: fc.array(limits, { maxLength: 4 }),
});
const group: fc.Arbitrary<GroupRecord> = fc.record({ groupId: text, name: text, platform, models });
const upstream: fc.Arbitrary<Upstream> = fc.record({
  upstreamId: text,
  name: text,
  platform,
  baseUrl: text,
  credential: text,
  modelMapping: fc.array(fc.tuple(text, text)).map((pairs): ReadonlyMap<string, string> => new Map(pairs)),
  priority: fc.integer(),
});
const int8 = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n });

const LIMITLESS = { keyId: 'k', accountId: 'a', groupId: 'g', groupName: 'g', platform: 'openai', models: null, multiplierPpm: 1, status: 'active', accountStatus: 'active' };

describe('what the account service says', () => {
  it('of a key comes back as it was written', () => {
    fc.assert(fc.property(fc.option(key, { nil: undefined }), (record) => expect(readKeyAnswer(sent(writeKeyAnswer(record)))).toEqual(record)));
  });

  it('of a key has no limits where an earlier version says nothing of them', () => {
    const [record] = fc.sample(key, 1);
    const { limits: _limits, ...earlier } = { ...record, models: null };
    expect(readKeyAnswer(sent({ key: earlier }))).toMatchObject({ limits: [] });
  });

  it('of groups comes back as it was written', () => {
    fc.assert(fc.property(fc.array(group), (groups) => expect(readGroupsAnswer(sent(writeGroupsAnswer(groups)))).toEqual(groups)));
  });

  it('of upstreams comes back as it was written, whatever the models are called', () => {
    fc.assert(fc.property(fc.array(upstream), (upstreams) => expect(readUpstreamsAnswer(sent(writeUpstreamsAnswer(upstreams)))).toEqual(upstreams)));
    const modelMapping = new Map([['__proto__', 'constructor']]);
    const [special] = fc.sample(upstream, 1).map((record) => ({ ...record, modelMapping }));
    expect(special && readUpstreamsAnswer(sent(writeUpstreamsAnswer([special])))[0]?.modelMapping).toEqual(modelMapping);
  });

  it('of a balance comes back as it was written, beyond 2^53 too', () => {
    fc.assert(fc.property(fc.option(fc.record({ seq: int8, balanceNanoUsd: int8 }), { nil: undefined }), (balance) => expect(readBalanceAnswer(sent(writeBalanceAnswer(balance)))).toEqual(balance)));
  });

  it.each<[string, (json: unknown) => unknown, unknown]>([
    ['a key', readKeyAnswer, {}],
    ['a key', readKeyAnswer, { key: { keyId: 'k' } }],
    ['a key', readKeyAnswer, null],
    ['a key', readKeyAnswer, { key: { ...LIMITLESS, limits: [{ scope: 'key', id: 'k', requestsPerMinute: 0 }] } }],
    ['a key', readKeyAnswer, { key: { ...LIMITLESS, limits: [{ scope: 'planet', id: 'k' }] } }],
    ['groups', readGroupsAnswer, { groups: null }],
    ['upstreams', readUpstreamsAnswer, { upstreams: [{ upstreamId: 'u' }] }],
    ['a balance', readBalanceAnswer, { balance: { seq: 1, balanceNanoUsd: '1' } }],
    ['a balance', readBalanceAnswer, { balance: { seq: '1', balanceNanoUsd: '1.5' } }],
    ['a balance', readBalanceAnswer, {}],
  ])('is not taken for %s when it is none', (_what, read, json) => {
    expect(() => read(json)).toThrow();
  });
});

describe('a question for a key', () => {
  it('carries the digest', () => {
    fc.assert(fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => expect(keyQuestion.parse(sent(writeKeyQuestion(Buffer.from(bytes))))).toEqual(Buffer.from(bytes))));
  });

  it.each([{}, { digest: '' }, { digest: 'A'.repeat(42) }, { digest: 'A'.repeat(44) }, { digest: `${'A'.repeat(42)}=` }, { digest: 7 }])('is refused as %j', (body) => {
    expect(() => keyQuestion.parse(body)).toThrow();
  });
});

import { describe, expect, it } from '@jest/globals';
import { ACCOUNT_CHANGES, readAccountChanged, writeAccountChanged } from './account-changed.js';
import type { AccountChanged } from './account-changed.js';

const change: AccountChanged = {
  schema: 1,
  id: '019ab1c2-0000-7000-8000-000000000001',
  at: 1_767_225_600_000,
  traceparent: null,
  kind: 'key',
  keyDigest: 'A'.repeat(43),
  accountId: '019ab1c2-0000-7000-8000-000000000002',
  groupId: '019ab1c2-0000-7000-8000-000000000003',
};

describe('account.changed', () => {
  it.each(ACCOUNT_CHANGES)('of kind %s comes back as it was written', (kind) => {
    expect(readAccountChanged(writeAccountChanged({ ...change, kind }))).toEqual({ ...change, kind });
  });

  it('need not name a key, an account and a group', () => {
    const { keyDigest: _digest, accountId: _account, groupId: _group, ...bare } = change;
    expect(readAccountChanged(writeAccountChanged(bare))).toEqual(bare);
  });

  it.each<[string, Record<string, unknown>]>([
    ['another schema', { schema: 2 }],
    ['a kind that nobody knows', { kind: 'user' }],
    ['a digest that is none', { keyDigest: 'sk-live-1234' }],
    ['an account that is none', { accountId: 'x' }],
    ['no time', { at: undefined }],
    ['a trace context that is none', { traceparent: 'x' }],
  ])('with %s is refused', (_title, member) => {
    expect(() => readAccountChanged(JSON.stringify({ ...change, ...member }))).toThrow();
  });
});

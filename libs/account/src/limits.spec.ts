import { describe, expect, it } from '@jest/globals';
import { scopedLimits } from './limits.js';
import type { LimitRow } from './limits.js';

const row = (change: Partial<LimitRow>): LimitRow => ({ account_id: null, group_id: null, user_id: null, key_id: null, requests_per_minute: null, tokens_per_minute: null, concurrent_requests: null, ...change });

describe('what a key counts in', () => {
  it('is one scope for each row, with what is limited there and nothing else', () => {
    const rows = [
      row({ account_id: 'a', requests_per_minute: 1 }),
      row({ user_id: 'u', tokens_per_minute: 2 }),
      row({ key_id: 'k', concurrent_requests: 3 }),
      row({ group_id: 'g', requests_per_minute: 4, tokens_per_minute: 5, concurrent_requests: 6 }),
    ];
    expect(scopedLimits(rows)).toEqual([
      { scope: 'account', id: 'a', requestsPerMinute: 1 },
      { scope: 'user', id: 'u', tokensPerMinute: 2 },
      { scope: 'key', id: 'k', concurrentRequests: 3 },
      { scope: 'group', id: 'g', requestsPerMinute: 4, tokensPerMinute: 5, concurrentRequests: 6 },
    ]);
  });

  it.each<[string, Partial<LimitRow>, object[]]>([
    ['replaces it as a whole', { tokens_per_minute: 9 }, [{ scope: 'group', id: 'g', tokensPerMinute: 9 }]],
    ['lifts it where it is empty', {}, []],
  ])('of the group is the row of the account in it, which %s, in any order', (_title, own, expected) => {
    const rows = [row({ group_id: 'g', requests_per_minute: 4 }), row({ account_id: 'a', group_id: 'g', ...own })];
    expect(scopedLimits(rows)).toEqual(expected);
    expect(scopedLimits(rows.toReversed())).toEqual(expected);
  });

  it('is nothing without a row', () => {
    expect(scopedLimits([])).toEqual([]);
  });
});

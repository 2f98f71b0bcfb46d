import { describe, expect, it } from '@jest/globals';
import type { LimitScope, ScopedLimits } from '@tokone/account-client';
import type { LimitRefusal } from '@tokone/admission';
import { GatewayError } from '@tokone/protocol';
import { limitReached, refuseBeyondLimits } from './limit-refusal.js';

describe('a limit that is reached', () => {
  const refusal: LimitRefusal = { scope: 'key', kind: 'requests', limit: 60, retryAfterMs: 12_345 };

  it.each<[Partial<LimitRefusal>, string]>([
    [{}, 'The limit of this key is 60 requests per minute, and it is reached. Send the request again in 13 s.'],
    [{ limit: 1 }, 'The limit of this key is 1 request per minute, and it is reached. Send the request again in 13 s.'],
    [{ kind: 'tokens', scope: 'account' }, 'The limit of this account is 60 tokens per minute, and too few are left for this request, which may use 50. Send the request again in 13 s, or ask for less output.'],
    [{ kind: 'concurrency', scope: 'user', limit: 2, retryAfterMs: 1_000 }, 'The limit of the user of this key is 2 requests at a time, and as many are running. Send the request again in 1 s, or when one of them has ended.'],
    [{ scope: 'group' }, 'The limit of this account in the group of this key is 60 requests per minute, and it is reached. Send the request again in 13 s.'],
  ])('%j is named with its value, its owner and the time to wait', (change, message) => {
    expect(limitReached({ ...refusal, ...change }, 50)).toMatchObject({ code: 'rate_limit_exceeded', status: 429, message });
  });

  it.each([[1, 1], [999, 1], [1_000, 1], [1_001, 2], [60_500, 61]])('of %i ms asks to wait %i s, never less than it takes', (retryAfterMs, seconds) => {
    expect(limitReached({ ...refusal, retryAfterMs }, 0).retryAfterSeconds).toBe(seconds);
  });
});

describe('a request that needs more tokens than a minute has', () => {
  const limits: ScopedLimits[] = [
    { scope: 'account', id: 'a', requestsPerMinute: 1 },
    { scope: 'key', id: 'k', tokensPerMinute: 1_000 },
  ];

  it('is refused without a time to wait, since none would help', () => {
    const refused = (): void => refuseBeyondLimits(limits, 1_001);
    expect(refused).toThrow(GatewayError);
    expect(refused).toThrow(/^The limit of this key is 1000 tokens per minute, and this request alone may use 1001\. State a lower output limit/);
    try {
      refused();
    } catch (error) {
      expect(error).toMatchObject({ status: 400, code: 'request_exceeds_limit', retryAfterSeconds: undefined });
    }
  });

  it('passes with as many as there are', () => {
    expect(() => refuseBeyondLimits(limits, 1_000)).not.toThrow();
    expect(() => refuseBeyondLimits([], Number.MAX_SAFE_INTEGER)).not.toThrow();
  });

  it.each<LimitScope>(['account', 'user', 'key', 'group'])('is refused by a limit of its %s', (scope) => {
    expect(() => refuseBeyondLimits([{ scope, id: 'x', tokensPerMinute: 1 }], 2)).toThrow('1 token per minute');
  });
});

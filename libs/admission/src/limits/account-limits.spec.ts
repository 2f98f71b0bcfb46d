import { describe, expect, it } from '@jest/globals';
import type { ScopedLimits } from '@tokone/account-client';
import { AccountLimits } from './account-limits.js';

const limited = (id: string, limits: Partial<ScopedLimits> = { requestsPerMinute: 1 }): ScopedLimits[] => [{ scope: 'key', id, ...limits }];

describe('the limits of an account', () => {
  it('forget scopes that are idle, and none in which somebody runs or was counted in the last minute', () => {
    const limits = new AccountLimits();
    const count = (id: string, atMs: number, of?: Partial<ScopedLimits>) => limits.count({ requestId: `${id} at ${atMs}`, limits: limited(id, of), tokens: 0 }, atMs);
    expect(count('runs', 0, { concurrentRequests: 1 })).toBeUndefined();
    for (let key = 0; key < 1_000; key++) expect(count(`idle ${key}`, 0)).toBeUndefined();
    expect(count('counted', 50_000)).toBeUndefined();
    for (let key = 0; key < 3_000; key++) count(`new ${key}`, 63_000);
    expect(limits.size).toBeLessThan(4_000);
    expect(count('runs', 63_001, { concurrentRequests: 1 })).toMatchObject({ kind: 'concurrency' });
    expect(count('counted', 63_001)).toMatchObject({ kind: 'requests' });
    expect(count('idle 1', 63_001)).toBeUndefined();
  });

  it('end a request that never was, or was refused, without a trace', () => {
    const limits = new AccountLimits();
    const count = (requestId: string) => limits.count({ requestId, limits: limited('k', { concurrentRequests: 1 }), tokens: 0 }, 0);
    limits.end('never', 0, 0);
    expect(count('first')).toBeUndefined();
    expect(count('refused')).toMatchObject({ kind: 'concurrency' });
    limits.end('refused', 0, 0);
    expect(count('second')).toMatchObject({ kind: 'concurrency' });
  });
});

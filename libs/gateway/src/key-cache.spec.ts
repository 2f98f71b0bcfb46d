import { describe, expect, it } from '@jest/globals';
import type { KeyRecord } from '@tokone/account-client';
import { tenantKey } from './fixtures/tenant.js';
import { DirectoryUnavailableError, KeyCache } from './key-cache.js';

/** A cache with a clock and a directory that a test moves. */
function make(capacity?: number) {
  const state = { nowMs: 0, asked: [] as string[], records: new Map<string, KeyRecord>([['good', tenantKey]]), failure: undefined as Error | undefined, wait: undefined as Promise<unknown> | undefined };
  const cache = new KeyCache({
    now: () => state.nowMs,
    ...(capacity !== undefined && { capacity }),
    directory: {
      async findKey(digest) {
        const name = digest.toString('latin1');
        state.asked.push(name);
        const found = state.records.get(name);
        await state.wait;
        if (state.failure) throw state.failure;
        return found;
      },
      groups: async () => [],
    },
  });
  return { state, cache };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('a known key', () => {
  it('is not peeked before it was found', async () => {
    const { state, cache } = make();
    expect(cache.peek('good')).toBeUndefined();
    expect(await cache.find('good')).toBe(tenantKey);
    expect(cache.peek('good')).toBe(tenantKey);
    expect(state.asked).toEqual(['good']);
  });

  it('is asked for once by all who wait', async () => {
    const { state, cache } = make();
    expect(await Promise.all([cache.find('good'), cache.find('good'), cache.find('good')])).toEqual([tenantKey, tenantKey, tenantKey]);
    expect(state.asked).toEqual(['good']);
  });

  it('is checked again in the background from 3 s on, without making anybody wait', async () => {
    const { state, cache } = make();
    await cache.find('good');
    state.nowMs = 2_999;
    cache.peek('good');
    expect(state.asked).toHaveLength(1);
    state.nowMs = 3_000;
    state.records.set('good', { ...tenantKey, status: 'disabled' });
    expect(cache.peek('good')?.status).toBe('active');
    expect(cache.peek('good')?.status).toBe('active');
    await settled();
    expect(state.asked).toHaveLength(2);
    expect(cache.peek('good')?.status).toBe('disabled');
  });

  it('is not used after 5 s without being asked for again', async () => {
    const { state, cache } = make();
    await cache.find('good');
    state.nowMs = 4_999;
    state.failure = new Error('no database');
    expect(cache.peek('good')).toBe(tenantKey);
    await settled();
    state.nowMs = 5_000;
    expect(cache.peek('good')).toBeUndefined();
  });

  it('counts its 5 s from the question, however late the answer came', async () => {
    const { state, cache } = make();
    let answer = (_value?: unknown): void => undefined;
    state.wait = new Promise((resolve) => (answer = resolve));
    const found = cache.find('good');
    state.nowMs = 4_000;
    answer();
    await found;
    state.nowMs = 5_001;
    expect(cache.peek('good')).toBeUndefined();
  });

  it('stops at once where it was deleted', async () => {
    const { state, cache } = make();
    await cache.find('good');
    state.nowMs = 5_000;
    state.records.delete('good');
    expect(await cache.find('good')).toBeUndefined();
    expect(cache.peek('good')).toBeUndefined();
  });

  it('lives 60 s on its last answer while the directory fails, and comes back with it', async () => {
    const { state, cache } = make();
    await cache.find('good');
    state.failure = new Error('no database');
    state.nowMs = 59_999;
    expect(await cache.find('good')).toBe(tenantKey);
    expect(cache.peek('good')).toBeUndefined();
    state.nowMs = 60_000;
    await expect(cache.find('good')).rejects.toThrow(DirectoryUnavailableError);
    state.failure = undefined;
    expect(await cache.find('good')).toBe(tenantKey);
  });
});

describe('a key that has changed', () => {
  it('is asked for again at once when it is forgotten', async () => {
    const { state, cache } = make();
    await cache.find('good');
    state.records.set('good', { ...tenantKey, status: 'disabled' });
    cache.forget('good');
    expect(cache.peek('good')).toBeUndefined();
    expect((await cache.find('good'))?.status).toBe('disabled');
  });

  it('is not kept on its old answer once it was forgotten, although the directory fails', async () => {
    const { state, cache } = make();
    await cache.find('good');
    cache.forget('good');
    state.failure = new Error('no database');
    await expect(cache.find('good')).rejects.toThrow(DirectoryUnavailableError);
  });

  it('is found at once when it was unknown before', async () => {
    const { state, cache } = make();
    await cache.find('new');
    state.records.set('new', tenantKey);
    cache.forget('new');
    expect(await cache.find('new')).toBe(tenantKey);
  });

  it.each<[string, (cache: KeyCache) => void]>([
    ['it', (cache) => cache.forget('good')],
    ['keys of its account', (cache) => cache.forgetWhere(({ accountId }) => accountId === tenantKey.accountId)],
    ['everything', (cache) => cache.doubtAll()],
  ])('is not remembered as it was by an answer that was asked for before %s was forgotten', async (_what, forget) => {
    const { state, cache } = make();
    let answer = (_value?: unknown): void => undefined;
    state.wait = new Promise((resolve) => (answer = resolve));
    const asked = cache.find('good');
    state.records.set('good', { ...tenantKey, status: 'disabled' });
    forget(cache);
    const askedAgain = cache.find('good');
    answer();
    expect([(await asked)?.status, (await askedAgain)?.status]).toEqual(['active', 'disabled']);
    expect(cache.peek('good')?.status).toBe('disabled');
    expect(state.asked).toEqual(['good', 'good']);
  });

  it.each([
    ['before', [0, 1]],
    ['after', [1, 0]],
  ])('is remembered as it is, whether an older answer comes %s the newer one', async (_when, order) => {
    const { state, cache } = make();
    const waits: ((value?: unknown) => void)[] = [];
    const answers: Promise<unknown>[] = [];
    for (const status of ['active', 'disabled'] as const) {
      state.records.set('good', { ...tenantKey, status });
      cache.forget('good');
      state.wait = new Promise((resolve) => waits.push(resolve));
      answers.push(cache.find('good'));
    }
    for (const next of order) {
      waits[next]?.();
      await answers[next];
    }
    expect(cache.peek('good')?.status).toBe('disabled');
  });

  it('takes only keys with such a record along', async () => {
    const { state, cache } = make();
    state.records.set('other', { ...tenantKey, accountId: 'another' });
    await cache.find('good');
    await cache.find('other');
    cache.forgetWhere(({ accountId }) => accountId === tenantKey.accountId);
    expect([cache.peek('good'), cache.peek('other')?.accountId]).toEqual([undefined, 'another']);
  });
});

describe('keys after changes that may have been missed', () => {
  it('are asked for again, known or unknown', async () => {
    const { state, cache } = make();
    await cache.find('good');
    await cache.find('new');
    state.records.set('new', tenantKey);
    state.records.delete('good');
    cache.doubtAll();
    expect([await cache.find('good'), await cache.find('new')]).toEqual([undefined, tenantKey]);
  });

  it('live on for 60 s while the directory fails', async () => {
    const { state, cache } = make();
    await cache.find('good');
    cache.doubtAll();
    state.failure = new Error('no database');
    state.nowMs = 59_999;
    expect(cache.peek('good')).toBeUndefined();
    expect(await cache.find('good')).toBe(tenantKey);
    state.nowMs = 60_000;
    await expect(cache.find('good')).rejects.toThrow(DirectoryUnavailableError);
  });
});

describe('an unknown key', () => {
  it('is asked for once in 5 s, and found when it was made meanwhile', async () => {
    const { state, cache } = make();
    expect(await cache.find('bad')).toBeUndefined();
    state.records.set('bad', tenantKey);
    state.nowMs = 4_999;
    expect(await cache.find('bad')).toBeUndefined();
    expect(state.asked).toEqual(['bad']);
    state.nowMs = 5_000;
    expect(await cache.find('bad')).toBe(tenantKey);
    expect(cache.peek('bad')).toBe(tenantKey);
  });

  it('is not served, and not refused for good, while the directory fails', async () => {
    const { state, cache } = make();
    state.failure = new Error('no database');
    await expect(cache.find('bad')).rejects.toThrow(DirectoryUnavailableError);
    state.failure = undefined;
    expect(await cache.find('bad')).toBeUndefined();
  });

  it('never pushes a good one out, however many there are', async () => {
    const { state, cache } = make(4);
    await cache.find('good');
    for (let number = 0; number < 100; number++) await cache.find(`bad-${number}`);
    expect(cache.peek('good')).toBe(tenantKey);
    state.asked.length = 0;
    await cache.find('bad-99');
    await cache.find('bad-0');
    expect(state.asked).toEqual(['bad-0']);
  });
});

describe('the bound', () => {
  it('lets an idle key go before a used one', async () => {
    const { state, cache } = make(3);
    for (const name of ['a', 'b', 'c', 'd', 'e']) state.records.set(name, tenantKey);
    for (const name of ['a', 'b', 'c']) await cache.find(name);
    cache.peek('a');
    await cache.find('d');
    expect(['a', 'b', 'c', 'd'].map((name) => cache.peek(name) !== undefined)).toEqual([true, false, true, true]);
    await cache.find('e');
    expect(['a', 'c', 'd', 'e'].filter((name) => cache.peek(name) !== undefined)).toHaveLength(3);
  });

  it('holds where every key is in use', async () => {
    const { state, cache } = make(3);
    for (let number = 0; number < 50; number++) {
      const name = `key-${number}`;
      state.records.set(name, tenantKey);
      await cache.find(name);
      for (let known = 0; known <= number; known++) cache.peek(`key-${known}`);
    }
    const kept = Array.from({ length: 50 }, (_, number) => cache.peek(`key-${number}`)).filter((record) => record !== undefined);
    expect(kept).toHaveLength(3);
  });
});

import { describe, expect, it } from '@jest/globals';
import { atMost, shared, unlessAborted } from './patience.js';

const never = (): Promise<never> => new Promise(() => undefined);

describe('atMost', () => {
  it('ends with the work, with its failure, or with the time', async () => {
    await atMost(60_000, Promise.resolve());
    await atMost(60_000, Promise.reject(new Error('failed')));
    await atMost(1, never());
  });
});

describe('unlessAborted', () => {
  it('gives the outcome of the work', async () => {
    const { signal } = new AbortController();
    expect(await unlessAborted(Promise.resolve(5), signal)).toBe(5);
    await expect(unlessAborted(Promise.reject(new Error('failed')), signal)).rejects.toThrow('failed');
  });

  it('does not wait for work beyond the signal', async () => {
    const abort = new AbortController();
    const waiting = unlessAborted(never(), abort.signal);
    abort.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });
});

describe('shared', () => {
  it('asks once for all who wait, and anew for whoever comes later, also after a failure', async () => {
    let asked = 0;
    const ask = shared(async () => {
      if (++asked === 2) throw new Error('failed');
      return asked;
    });
    expect(await Promise.all([ask(), ask(), ask()])).toEqual([1, 1, 1]);
    const [one, other] = [ask(), ask()];
    await expect(one).rejects.toThrow('failed');
    await expect(other).rejects.toThrow('failed');
    expect(await ask()).toBe(3);
  });
});

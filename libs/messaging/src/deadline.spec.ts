import { describe, expect, it } from '@jest/globals';
import { OneAtATime, withDeadline } from './deadline.js';

/** Work that ends when it is told to. */
function held(): { work: () => Promise<void>; begun: () => boolean; end(): void } {
  let end = (): void => undefined;
  let begun = false;
  const done = new Promise<void>((resolve) => (end = resolve));
  return { work: () => ((begun = true), done), begun: () => begun, end };
}

describe('withDeadline', () => {
  it('is the result, or the failure, of work that ends in time', async () => {
    expect(await withDeadline(Promise.resolve(7), 1_000, 'late')).toBe(7);
    await expect(withDeadline(Promise.reject(new Error('broken')), 1_000, 'late')).rejects.toThrow('broken');
  });

  it('is a sentence when the time is over', async () => {
    await expect(withDeadline(held().work(), 10, 'it took too long')).rejects.toThrow('it took too long');
  });
});

describe('OneAtATime', () => {
  it('does not begin a piece of work while one that was given up goes on', async () => {
    const calls = new OneAtATime(20, 'done');
    const [slow, waiting, next] = [held(), held(), held()];
    await expect(calls.run(slow.work)).rejects.toThrow('not within 20 ms: done');
    await expect(calls.run(waiting.work)).rejects.toThrow('not within 20 ms');
    slow.end();
    next.end();
    await calls.run(next.work);
    expect([slow.begun(), waiting.begun(), next.begun()]).toEqual([true, false, true]);
  });

  it('goes on after work that failed', async () => {
    const calls = new OneAtATime(1_000, 'done');
    await expect(calls.run(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    await calls.run(() => Promise.resolve());
  });
});

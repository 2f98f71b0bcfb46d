import { describe, expect, it } from '@jest/globals';
import { Turnstile } from './turnstile.js';

function work(): { run: () => Promise<string>; finish(): void; fail(): void; begun: boolean } {
  let settle: { resolve(value: string): void; reject(error: Error): void };
  const done = new Promise<string>((resolve, reject) => (settle = { resolve, reject }));
  const piece = {
    begun: false,
    run: () => {
      piece.begun = true;
      return done;
    },
    finish: () => settle.resolve('done'),
    fail: () => settle.reject(new Error('failed')),
  };
  return piece;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('Turnstile', () => {
  it('lets no more pass at once than it has places, in the order of their coming', async () => {
    const turnstile = new Turnstile(2);
    const pieces = [work(), work(), work(), work()];
    const passed = pieces.map(({ run }) => turnstile.pass(run));
    await turn();
    expect(pieces.map(({ begun }) => begun)).toEqual([true, true, false, false]);
    pieces[1]!.finish();
    await turn();
    expect(pieces.map(({ begun }) => begun)).toEqual([true, true, true, false]);
    for (const { finish } of pieces) finish();
    expect(await Promise.all(passed)).toEqual(['done', 'done', 'done', 'done']);
  });

  it('gives the place of work that failed to the next', async () => {
    const turnstile = new Turnstile(1);
    const [first, second] = [work(), work()];
    const failed = turnstile.pass(first.run);
    const passed = turnstile.pass(second.run);
    first.fail();
    await expect(failed).rejects.toThrow('failed');
    second.finish();
    expect(await passed).toBe('done');
  });
});

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from '@jest/globals';
import { GarbageWatch } from './garbage-watch.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

it('hears of every collection until it is closed', async () => {
  const open: string[] = [];
  const closed: string[] = [];
  const watch = new GarbageWatch((kind, durationMs) => durationMs > 0 && open.push(kind));
  new GarbageWatch((kind) => closed.push(kind)).close();
  for (const deadlineMs = performance.now() + 10_000; !open.includes('major'); ) {
    expect(performance.now()).toBeLessThan(deadlineMs);
    collect();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  watch.close();
  expect(closed).toEqual([]);
});

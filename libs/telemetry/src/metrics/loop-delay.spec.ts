import { expect, it } from '@jest/globals';
import { LoopDelay } from './loop-delay.js';

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Keeps the event loop, as a large request might. */
function block(milliseconds: number): void {
  for (const untilMs = performance.now() + milliseconds; performance.now() < untilMs; );
}

/** Two turns of the watch, with the loop kept in between. */
async function disturb(): Promise<void> {
  await pause(15);
  block(100);
  await pause(15);
}

it('says how late the loop was, once for all who look at the same time, and no more when it is closed', async () => {
  let watch = new LoopDelay();
  for (let late = 0, deadlineMs = performance.now() + 10_000; late < 0.05; ) {
    expect(performance.now()).toBeLessThan(deadlineMs);
    watch.close();
    watch = new LoopDelay();
    await disturb();
    late = watch.seconds().max;
    expect(watch.seconds().max).toBe(late);
  }
  const closed = new LoopDelay();
  closed.close();
  await disturb();
  expect(closed.seconds()).toEqual({ mean: 0, p50: 0, p99: 0, max: 0 });
  watch.close();
});

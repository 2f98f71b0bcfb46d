import { describe, expect, it } from '@jest/globals';
import { WakeUp } from './wake-up.js';

describe('WakeUp', () => {
  it('ends a pause early when it is called', async () => {
    const wakeUp = new WakeUp();
    const paused = wakeUp.pause(60_000);
    wakeUp.call();
    await paused;
  });

  it('ends the next pause when it was called before, and only that one', async () => {
    const wakeUp = new WakeUp();
    wakeUp.call();
    wakeUp.call();
    await wakeUp.pause();
    let over = false;
    const second = wakeUp.pause().then(() => (over = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(over).toBe(false);
    wakeUp.call();
    await second;
  });

  it('ends a pause by itself after its time', async () => {
    await new WakeUp().pause(1);
  });
});

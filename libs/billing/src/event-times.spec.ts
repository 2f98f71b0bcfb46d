import { describe, expect, it } from '@jest/globals';
import { judgeTimes } from './event-times.js';
import { NOW_MS, usageEvent } from './fixtures/usage-events.js';

const DAY_MS = 86_400_000;

describe('the times of an event', () => {
  it.each([
    ['35 days ago', NOW_MS - 35 * DAY_MS],
    ['5 minutes ahead', NOW_MS + 300_000],
  ])('stay as they are when it ended exactly %s', (_case, endedAtMs) => {
    const event = usageEvent({ endedAtMs });
    expect(judgeTimes(event, NOW_MS)).toEqual({ event, clockFault: undefined });
  });

  it('are at most now when it ended in the future, and the event is odd', () => {
    const event = usageEvent({ startedAtMs: NOW_MS - 10, firstByteAtMs: NOW_MS + 1, endedAtMs: NOW_MS + 300_001 });
    expect(judgeTimes(event, NOW_MS)).toEqual({
      event: { ...event, firstByteAtMs: NOW_MS, endedAtMs: NOW_MS, odd: true },
      clockFault: { endedAtMs: NOW_MS + 300_001, seenAtMs: NOW_MS },
    });
  });

  it('stay as they are when it ended more than 35 days ago, and the event is odd', () => {
    const event = usageEvent({ firstByteAtMs: null, endedAtMs: NOW_MS - 35 * DAY_MS - 1 });
    expect(judgeTimes(event, NOW_MS).event).toMatchObject({ firstByteAtMs: null, endedAtMs: event.endedAtMs, odd: true });
  });
});

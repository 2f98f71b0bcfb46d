import { describe, expect, it } from '@jest/globals';
import { noTracing } from '@tokone/telemetry';
import type { UpstreamOutcome } from '@tokone/telemetry';
import { AttemptMeasure, outcomeOfStatus } from './attempt-measure.js';

const upstream = { upstreamId: 'u', platform: 'openai' as const, baseUrl: 'http://upstream.example', modelMapping: new Map<string, string>() };

function measured(): { told: unknown[][]; measure: AttemptMeasure; pass: (milliseconds: number) => void } {
  const told: unknown[][] = [];
  let nowMs = 1_000;
  const metrics = {
    firstByte: (...all: unknown[]) => void told.push(['firstByte', ...all]),
    ended: (...all: unknown[]) => void told.push(['ended', ...all]),
    failedOver: () => void told.push(['failedOver']),
  };
  return { told, measure: new AttemptMeasure({ metrics, tracing: noTracing, head: { model: 'm', dialect: 'openai-chat', streamed: false }, now: () => nowMs }), pass: (milliseconds) => void (nowMs += milliseconds) };
}

describe('the measure of an attempt', () => {
  it('tells the first bytes and the end, each once, with the time since the sending', () => {
    const { told, measure, pass } = measured();
    measure.begin(upstream);
    measure.head(200);
    pass(30);
    measure.bytes();
    measure.bytes();
    pass(70);
    measure.end();
    measure.end('cancelled');
    expect(told).toEqual([['firstByte', 'm', 30], ['ended', 'm', 'whole', 100]]);
  });

  it('begins anew for the next upstream, and takes the bytes of an error for no answer', () => {
    const { told, measure, pass } = measured();
    measure.begin(upstream);
    measure.head(429);
    measure.bytes();
    measure.end();
    measure.failOver();
    pass(5);
    measure.begin(upstream);
    measure.end('broken');
    expect(told).toEqual([['ended', 'm', 'rate_limited', 0], ['failedOver'], ['ended', 'm', 'broken', 0]]);
  });

  it('tells of no attempt that was never made', () => {
    const { told, measure } = measured();
    measure.end('cancelled');
    expect(told).toEqual([]);
  });

  it.each<[number, UpstreamOutcome]>([
    [200, 'whole'],
    [400, 'refused'],
    [401, 'unauthorized'],
    [402, 'unauthorized'],
    [403, 'unauthorized'],
    [404, 'refused'],
    [408, 'timeout'],
    [429, 'rate_limited'],
    [500, 'server_error'],
    [502, 'server_error'],
    [503, 'overloaded'],
    [504, 'timeout'],
    [529, 'overloaded'],
  ])('takes status %i for %s', (status, outcome) => expect(outcomeOfStatus(status)).toBe(outcome));
});

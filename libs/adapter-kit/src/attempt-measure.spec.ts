import { describe, expect, it } from '@jest/globals';
import { noTracing } from '@tokone/telemetry';
import type { UpstreamOutcome } from '@tokone/telemetry';
import { RecordedSpans } from '@tokone/telemetry/recorded-spans';
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

describe('the trace of an attempt', () => {
  const metrics = { firstByte: () => undefined, ended: () => undefined, failedOver: () => undefined };
  const traceparent = '00-01940000000070008000000000000001-8000000000000001-01';
  let nowMs = 0;
  const trace = (change: { traceparent?: string } = {}): { tracing: RecordedSpans; measure: AttemptMeasure } => {
    const tracing = new RecordedSpans();
    const head = { model: 'm', dialect: 'gemini-content' as const, streamed: true, traceparent, ...change };
    return { tracing, measure: new AttemptMeasure({ metrics, tracing, head, now: () => nowMs }) };
  };

  it('has a span for each, below the request, with the model and the server that it asked', () => {
    const { tracing, measure } = trace();
    measure.begin({ ...upstream, platform: 'gemini', baseUrl: 'https://user:password@one.example/secret/path', modelMapping: new Map([['m', 'theirs']]) });
    measure.head(503);
    measure.end();
    measure.begin({ ...upstream, platform: 'gemini', baseUrl: 'http://two.example:81' });
    measure.head(200);
    nowMs += 250;
    measure.bytes();
    measure.end();
    expect(tracing.spans).toEqual([
      expect.objectContaining({ name: 'generate_content theirs', kind: 'client', parent: traceparent, failure: 'overloaded', ends: 1 }),
      expect.objectContaining({ name: 'generate_content m', kind: 'client', parent: traceparent, failure: undefined, ends: 1 }),
    ]);
    const [first, second] = tracing.spans.map(({ attributes }) => attributes);
    expect(first).toMatchObject({ provider: 'gcp.gemini', requestModel: 'theirs', upstreamAttempt: 1, httpStatus: 503, serverAddress: 'one.example', serverPort: 443 });
    expect(second).toMatchObject({ upstreamAttempt: 2, httpStatus: 200, serverAddress: 'two.example', serverPort: 81, firstChunkSeconds: 0.25 });
    expect(JSON.stringify(tracing.spans)).not.toMatch(/password|secret/);
  });

  it('survives an upstream whose address is none', () => {
    const { tracing, measure } = trace();
    measure.begin({ ...upstream, baseUrl: 'nonsense' });
    measure.end('broken');
    expect(tracing.spans).toEqual([expect.objectContaining({ failure: 'broken', ends: 1 })]);
  });

  it('does not exist where the request is not recorded', () => {
    const { tracing, measure } = trace({ traceparent: traceparent.replace(/01$/, '00') });
    measure.begin(upstream);
    measure.end();
    expect(tracing.spans).toEqual([]);
  });
});

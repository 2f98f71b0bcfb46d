import { describe, expect, it } from '@jest/globals';
import { traceparentOf } from '@tokone/protocol';
import { BatchSpans } from './batch-spans.js';
import { RecordedSpans } from './fixtures/recorded-spans.js';
import { noTracing } from './tracing.js';

const [ONE, TWO, THREE] = ['01940000-0000-7000-8000-000000000001', '01940000-0000-7000-8000-000000000002', '01940000-0000-7000-8000-000000000003'] as const;
const recorded = (requestId: string): string => traceparentOf(requestId).replace(/00$/, '01');
const START = { name: 'rate usage', kind: 'consumer' } as const;

describe('the spans of a batch', () => {
  it('are one for each recorded request, below it, and last as long as the batch', async () => {
    const tracing = new RecordedSpans();
    const spans = BatchSpans.start(tracing, () => [[ONE, recorded(ONE)], [TWO, traceparentOf(TWO)], [THREE, null], [ONE, recorded(ONE)]], START);
    const ends = await spans.around(async () => tracing.spans.map((span) => span.ends));
    expect(ends).toEqual([0]);
    expect(tracing.spans).toEqual([expect.objectContaining({ ...START, parent: recorded(ONE), attributes: { requestId: ONE }, failure: undefined, ends: 1 })]);
    expect([spans.traceparentOf(ONE), spans.traceparentOf(TWO)]).toEqual([tracing.spans[0]?.traceparent, undefined]);
  });

  it('fail with it, by the name of its error and not by its text', async () => {
    const tracing = new RecordedSpans();
    const spans = BatchSpans.start(tracing, () => [[ONE, recorded(ONE)]], START);
    await expect(spans.around(() => Promise.reject(new RangeError('the text')))).rejects.toThrow('the text');
    expect(tracing.spans).toEqual([expect.objectContaining({ failure: 'RangeError', ends: 1 })]);
  });

  it('are not even looked for in a process that records nothing', async () => {
    const requests = (): never => {
      throw new Error('looked');
    };
    const spans = BatchSpans.start(noTracing, requests, START);
    expect(await spans.around(() => Promise.resolve(7))).toBe(7);
  });
});

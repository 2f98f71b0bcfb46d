import { describe, expect, it } from '@jest/globals';
import { TRACEPARENT, traceparentOf } from './trace-context.js';
import { Uuid7Source } from './uuid7.js';

describe('traceparentOf', () => {
  it('makes the request id the trace id, and its last half the parent id', () => {
    expect(traceparentOf('019AB1C2-0000-7000-8000-0000000000aa')).toBe('00-019ab1c20000700080000000000000aa-80000000000000aa-00');
  });

  it('is a trace context for every request id', () => {
    const ids = new Uuid7Source(() => 1_767_225_600_000);
    for (let id = 0; id < 1_000; id++) expect(traceparentOf(ids.next())).toMatch(TRACEPARENT);
  });

  it.each(['', '00-0-0-00', `00-${'0'.repeat(32)}-${'1'.repeat(16)}-00`, `00-${'1'.repeat(32)}-${'0'.repeat(16)}-00`, `01-${'1'.repeat(32)}-${'1'.repeat(16)}-00`])(
    '%p is none',
    (text) => {
      expect(text).not.toMatch(TRACEPARENT);
    },
  );
});

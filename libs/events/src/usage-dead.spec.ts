import { describe, expect, it } from '@jest/globals';
import { readUsageDead, writeUsageDead } from './usage-dead.js';
import type { UsageDead } from './usage-dead.js';

const dead: UsageDead = {
  schema: 1,
  id: '019ab1c2-0000-7000-8000-000000000001',
  at: 1_767_225_600_000,
  traceparent: null,
  reason: 'unreadable',
  logPartition: 'usage.recorded/3',
  logOffset: '9007199254740993',
  raw: Buffer.from('\u0000not "JSON"').toString('base64'),
};

describe('usage.dead', () => {
  it('comes back as it was written', () => {
    expect(readUsageDead(writeUsageDead(dead))).toEqual(dead);
  });

  it.each<[string, Record<string, unknown>]>([
    ['another schema', { schema: 2 }],
    ['an offset as a number', { logOffset: 5 }],
    ['bytes that are no base64', { raw: '{"schema":2}' }],
    ['no reason', { reason: undefined }],
  ])('with %s is refused', (_title, member) => {
    expect(() => readUsageDead(JSON.stringify({ ...dead, ...member }))).toThrow();
  });
});

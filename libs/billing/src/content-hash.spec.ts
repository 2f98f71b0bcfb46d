import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { readUsageRecorded, writeUsageRecorded } from '@tokone/events';
import type { UsageRecorded } from '@tokone/events';
import { hashContent } from './content-hash.js';

const stored = readFileSync(new URL('../../events/src/fixtures/usage-recorded-1.json', import.meta.url), 'utf8').trim();

describe('hashContent', () => {
  it('gives an event the hash that it has in tables since schema 1', () => {
    expect(hashContent(readUsageRecorded(stored))).toBe('f4daf697eb6ea5e68da08019173890bcb526504e867e549fadeab27657632577');
  });

  it('is the same for an event that comes again in schema 2, whatever trace it carries', () => {
    const event = readUsageRecorded(stored);
    const again = readUsageRecorded(writeUsageRecorded({ ...event, traceparent: '00-019ab1c2000070008000000000000001-8000000000000001-00' }));
    expect(again.schema).toBe(2);
    expect(hashContent(again)).toBe(hashContent(event));
  });

  it.each<[string, Partial<UsageRecorded>]>([
    ['another model', { model: 'gpt-6' }],
    ['another grant', { grantNanoUsd: 1n }],
    ['another unit', { units: { web_search: 2 } }],
  ])('is another one for %s', (_title, change) => {
    const event = readUsageRecorded(stored);
    expect(hashContent({ ...event, ...change })).not.toBe(hashContent(event));
  });
});

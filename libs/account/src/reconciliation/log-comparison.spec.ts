import { describe, expect, it } from '@jest/globals';
import type { CountedPartition, RatedAudit } from '@tokone/billing-client';
import { Findings } from './check-report.js';
import { checkLog } from './log-comparison.js';

const NAME = 'cluster:usage.recorded/3';
const RIGHT: CountedPartition = { name: NAME, nextOffset: 120n, countedFrom: 20n, countedTo: 120n, records: 100n, rated: 97n, dead: 1n };

async function check(partition: Partial<CountedPartition> | undefined, range = { low: 0n, high: 120n }, keepsUp = true): Promise<string[]> {
  const findings = new Findings();
  const partitions = async () => (partition === undefined ? [] : [{ ...RIGHT, ...partition }]);
  await checkLog({ log: { usagePartitions: async () => [{ name: NAME, ...range }] }, rated: { partitions } as unknown as RatedAudit, rating: async () => keepsUp }, findings);
  return findings.subjects.map(({ subject, detail }) => `${subject}: ${detail}`);
}

describe('the records of a partition', () => {
  it('are all handled', async () => {
    expect(await check({})).toEqual([]);
    // More came after the end was asked for.
    expect(await check({ nextOffset: 150n, countedTo: 150n, records: 130n })).toEqual([]);
    // The oldest are gone by their age.
    expect(await check({}, { low: 50n, high: 120n })).toEqual([]);
    // Nobody has written to it yet.
    expect(await check(undefined, { low: 0n, high: 0n })).toEqual([]);
    // The cursor was set back: what comes again is not counted again.
    expect(await check({ nextOffset: 60n })).toEqual([]);
  });

  it.each([
    ['were passed over', { records: 98n }, 'from offset 20 to 120 98 records were handled, of which 97 became usage and 1 are dead: 2 were passed over'],
    ['were counted twice', { records: 101n }, '1 too many'],
    ['are not read to the end, although billing says so', { nextOffset: 110n, countedTo: 110n, records: 90n }, 'it ends at 120, and billing has counted to 110'],
    ['were jumped over by hand', { nextOffset: 500n }, 'the cursor is 500, and billing has counted to 120'],
  ])('%s', async (_what, partition, detail) => {
    expect(await check(partition)).toEqual([expect.stringContaining(detail)]);
  });

  it('were deleted before they were read', async () => {
    expect(await check({}, { low: 130n, high: 120n })).toEqual([expect.stringContaining('it begins at 130, and billing has counted to 120')]);
  });

  it('are of a partition that billing does not know', async () => {
    expect(await check(undefined)).toEqual([`${NAME}: it ends at 120, and billing has no cursor in it`]);
  });

  it('are not checked while billing does not keep up', async () => {
    await expect(check({}, undefined, false)).rejects.toThrow('what the log holds');
  });
});

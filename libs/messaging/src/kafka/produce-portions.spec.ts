import { describe, expect, it } from '@jest/globals';
import { portionsOf, type ProducedRecord } from './produce-portions.js';

const MIB = 1_048_576;

function recordsOf(count: number, record: { partitions: number; bytes: number }): ProducedRecord[] {
  return Array.from({ length: count }, (_, index) => ({ partition: index % record.partitions, key: `${index}`, value: 'x'.repeat(record.bytes), headers: { id: `${index}` } }));
}

function bytesByPartition(portion: readonly ProducedRecord[]): number[] {
  const sizes = new Map<number, number>();
  for (const { partition, value } of portion) sizes.set(partition, (sizes.get(partition) ?? 0) + value.length);
  return [...sizes.values()];
}

describe('portionsOf', () => {
  it('leaves a usual batch whole', () => {
    const records = recordsOf(1_000, { partitions: 12, bytes: 900 });
    expect(portionsOf(records)).toEqual([records]);
  });

  it.each([
    ['many large records of one account', recordsOf(1_000, { partitions: 1, bytes: 9_000 })],
    ['many large records of all accounts', recordsOf(1_000, { partitions: 12, bytes: 60_000 })],
    ['records of a size of its own each', recordsOf(300, { partitions: 3, bytes: 900 }).map((record, index) => ({ ...record, value: 'ü'.repeat(index * 100) }))],
  ])('keeps %s below what a broker takes, in order, none left out', (_title, records) => {
    const portions = portionsOf(records);
    expect(portions.flat()).toEqual(records);
    for (const portion of portions) {
      for (const bytes of bytesByPartition(portion)) expect(bytes).toBeLessThan(MIB);
      expect(portion.reduce((sum, { value }) => sum + value.length, 0)).toBeLessThan(9 * MIB);
    }
  });

  it('lets a record that is too large for anything go alone, for the broker to refuse', () => {
    const [small, huge, last] = [...recordsOf(1, { partitions: 1, bytes: 5 }), ...recordsOf(1, { partitions: 1, bytes: 9 * MIB }), ...recordsOf(1, { partitions: 1, bytes: 5 })];
    expect(portionsOf([small!, huge!, last!])).toEqual([[small], [huge], [last]]);
  });

  it('has nothing to send of nothing', () => {
    expect(portionsOf([])).toEqual([]);
  });
});

import { describe, expect, it } from '@jest/globals';
import { PARTITIONS, partitionOf } from './partition.js';

describe('partitionOf', () => {
  // Computed apart from our code: FNV-1a 32 of these texts, modulo 12.
  it.each([
    ['', 0x811c9dc5],
    ['a', 0xe40c292c],
    ['foobar', 0xbf9cf968],
  ])('is FNV-1a, by the published vector of %p', (text, hash) => {
    expect(partitionOf(text)).toBe(hash % PARTITIONS);
  });

  it('never changes for an account', () => {
    expect(GOLDEN_IDS.map(partitionOf)).toEqual([0, 9, 9, 9]);
  });

  it('does not see the case of an id', () => {
    expect(partitionOf('019AB1C2-0000-7000-8000-0000000000AA')).toBe(partitionOf('019ab1c2-0000-7000-8000-0000000000aa'));
  });

  it('uses all partitions about equally', () => {
    const counts = new Array<number>(PARTITIONS).fill(0);
    for (let account = 0; account < 12_000; account++) {
      const tail = account.toString(16).padStart(12, '0');
      counts[partitionOf(`019ab1c2-0000-7000-8000-${tail}`)]!++;
    }
    expect(Math.min(...counts)).toBeGreaterThan(800);
    expect(Math.max(...counts)).toBeLessThan(1_200);
  });
});

const GOLDEN_IDS = [
  '019ab1c2-0000-7000-8000-000000000001',
  '019ab1c2-0000-7000-8000-000000000002',
  '01993f5e-7b3c-7d20-9a41-5f0e6c1b2d34',
  'ffffffff-ffff-ffff-ffff-ffffffffffff',
];

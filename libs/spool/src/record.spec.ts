import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Chunk } from './group-buffer.js';
import { checksumSeed, INCOMPLETE, INVALID, RecordReader } from './record.js';

const SEED = checksumSeed('00000000-0000-7000-8000-000000000001');
const record = fc.record({
  type: fc.integer({ min: 0, max: 255 }),
  id: fc.uuid(),
  // Unpaired surrogates have no UTF-8.
  payload: fc.string({ unit: 'binary', maxLength: 300 }).filter((text) => text.isWellFormed()),
});

function walk(bytes: Buffer, end: number): { type: number; id: string; payload: string }[] {
  const reader = new RecordReader(bytes, SEED);
  const found = [];
  for (let at = 0; at < end; ) {
    const size = reader.sizeAt(at, end);
    if (size <= 0) break;
    found.push({ type: reader.typeAt(at), id: reader.idAt(at), payload: reader.payloadAt(at) });
    at += size;
  }
  return found;
}

describe('a record', () => {
  it('comes back as it was written, whatever text, type and id', () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 20 }), (records) => {
        const chunk = new Chunk(SEED);
        for (const { type, id, payload } of records) chunk.append(type, id, payload);
        expect(walk(chunk.bytes, chunk.end)).toEqual(records);
      }),
      { numRuns: 100 },
    );
  });

  it('is incomplete at every shorter length, and invalid with any other seed', () => {
    const chunk = new Chunk(SEED);
    chunk.append(4, '0197c1a0-0000-7000-8000-0000000000ff', 'payload');
    for (let end = 0; end < chunk.end; end++) expect(new RecordReader(chunk.bytes, SEED).sizeAt(0, end)).toBe(INCOMPLETE);
    expect(new RecordReader(chunk.bytes, SEED).sizeAt(0, chunk.end)).toBe(chunk.end);
    expect(new RecordReader(chunk.bytes, SEED + 1).sizeAt(0, chunk.end)).toBe(INVALID);
  });

  it('is not taken with an id that would come back as another', () => {
    const chunk = new Chunk(SEED);
    const good = '0197c1a0-0000-7000-8000-0000000000ff';
    const wrong = ['', good.slice(1), `${good}0`, good.replaceAll('-', '0'), good.toUpperCase(), good.replace('f', 'g'), good.replace('f', 'š')];
    for (const id of wrong) expect(() => chunk.append(1, id, '')).toThrow('UUID');
    expect(chunk.end).toBe(0);
  });

  it('of the kind OPEN is dropped from what was never written, and the others keep their order', () => {
    fc.assert(
      fc.property(fc.array(record.map((one) => ({ ...one, type: (one.type % 5) + 1 }))), fc.nat(20), (records, told) => {
        const chunk = new Chunk(SEED);
        for (const [index, { type, id, payload }] of records.entries()) {
          chunk.append(type, id, payload);
          if (index < told) chunk.acknowledged = chunk.end;
        }
        const kept = records.filter((one, index) => index < told || one.type !== 1);
        expect(chunk.dropOpens()).toEqual(records.filter((one, index) => index >= told && one.type === 1).map((one) => one.id));
        expect(walk(chunk.bytes, chunk.end)).toEqual(kept);
      }),
      { numRuns: 100 },
    );
  });
});

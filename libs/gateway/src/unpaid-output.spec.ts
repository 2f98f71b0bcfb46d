import { describe, expect, it } from '@jest/globals';
import { UnpaidOutput } from './unpaid-output.js';

describe('output that is not paid for', () => {
  it('goes out in order, as far as it is paid for', () => {
    const unpaid = new UnpaidOutput();
    unpaid.add(100, [Buffer.from('a'), Buffer.from('b')]);
    unpaid.add(200, [Buffer.from('c')]);
    unpaid.add(200, [Buffer.from('d')]);
    expect(unpaid.bytes).toBe(4);
    expect(unpaid.takePaid((tokens) => tokens <= 99)).toEqual([]);
    expect(String(unpaid.takePaid((tokens) => tokens <= 100))).toBe('a,b');
    expect(unpaid.bytes).toBe(2);
    expect(String(unpaid.takeAll())).toBe('c,d');
    expect(unpaid.bytes).toBe(0);
  });
});

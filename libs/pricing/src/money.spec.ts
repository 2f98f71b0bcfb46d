import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { NANO_USD_PER_USD, readUsd, usdNumber, writeUsd } from './money.js';

const amount = fc.bigInt({ min: -9_000_000_000n * NANO_USD_PER_USD, max: 9_000_000_000n * NANO_USD_PER_USD });

describe('money as text', () => {
  it.each([
    ['10', 10_000_000_000n],
    ['0.25', 250_000_000n],
    ['-3.5', -3_500_000_000n],
    ['0.000000001', 1n],
    ['-0', 0n],
    ['007', 7_000_000_000n],
    [' 1 ', 1_000_000_000n],
    ['9000000000', 9_000_000_000_000_000_000n],
    ['-9000000000.000000000', -9_000_000_000_000_000_000n],
  ])('reads %p', (text, nanoUsd) => {
    expect(readUsd(text)).toBe(nanoUsd);
  });

  it.each(['', ' ', '.', '1.', '.5', '+1', '--1', '1e3', '0x10', '1,5', '1 000', '$1', '0.0000000001', '١', 'NaN', 'Infinity', '1\n2'])(
    'refuses %p with a sentence that shows it',
    (text) => {
      expect(() => readUsd(text)).toThrow(RangeError);
      expect(() => readUsd(text)).toThrow(`"${text}"`);
    },
  );

  it.each(['9000000000.000000001', '-9000000000.000000001', '9999999999'])('refuses %p, which is more than it can hold', (text) => {
    expect(() => readUsd(text)).toThrow('9 billion');
  });

  it.each([
    [0n, '0.00'],
    [10_000_000_000n, '10.00'],
    [500_000_000n, '0.50'],
    [125_000n, '0.000125'],
    [-1n, '-0.000000001'],
    [1_230_000_000n, '1.23'],
    [1_234_000_000n, '1.234'],
  ])('writes %p nano-USD', (nanoUsd, text) => {
    expect(writeUsd(nanoUsd)).toBe(text);
  });

  it('reads back what it wrote, for every amount', () => {
    fc.assert(fc.property(amount, (nanoUsd) => readUsd(writeUsd(nanoUsd)) === nanoUsd));
  });

  it('writes at least two decimals and no zeros behind them', () => {
    fc.assert(fc.property(amount, (nanoUsd) => /^-?\d+\.\d{2}(?:\d*[1-9])?$/.test(writeUsd(nanoUsd))));
  });

  it('gives JSON numbers that are exact to nine decimals below 8 million USD', () => {
    const small = fc.bigInt({ min: -8_000_000n * NANO_USD_PER_USD, max: 8_000_000n * NANO_USD_PER_USD });
    fc.assert(fc.property(small, (nanoUsd) => readUsd(usdNumber(nanoUsd).toFixed(9)) === nanoUsd), { numRuns: 1_000 });
  });
});

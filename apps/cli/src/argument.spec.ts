import { describe, expect, it } from '@jest/globals';
import { readAmount, readId } from './argument.js';

describe('arguments', () => {
  it.each(['10', '0.25', ' 5 ', '1000000', '0.000000001'])('take %j as USD', (text) => {
    expect(readAmount(text)).toBe(text.trim());
  });

  it.each(['-5', '0', '0.00', 'ten', '1,5', '1e3', '1.1234567891', '', '$5', '+5', '.5', '5.'])('refuse %j as USD', (text) => {
    expect(() => readAmount(text)).toThrow('is not an amount');
  });

  it('take an id in any case, and nothing else for one', () => {
    expect(readId('01940000-0000-7000-8000-746F6B6F6E65')).toBe('01940000-0000-7000-8000-746f6b6f6e65');
    for (const text of ['', 'demo', '../accounts', '01940000-0000-7000-8000-746f6b6f6e6', 'sk-abc']) expect(() => readId(text)).toThrow('is not an id');
  });
});

import { describe, expect, it } from '@jest/globals';
import { isTransient } from './transaction.js';

const withCode = (code: string): Error => Object.assign(new Error('x'), { code });

describe('isTransient', () => {
  it.each(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', '08006', '40001', '40P01', '53100', '53300', '57P01', '57P03'])(
    'is true for %s',
    (code) => {
      expect(isTransient(withCode(code))).toBe(true);
    },
  );

  it.each(['23505', '42P01', '57014', '22P02', '25P02', '28P01', '4000', 'ENOENT'])('is false for %s', (code) => {
    expect(isTransient(withCode(code))).toBe(false);
  });

  it('knows the words of a lost connection and looks through causes and aggregates', () => {
    expect(isTransient(new Error('Connection terminated unexpectedly'))).toBe(true);
    expect(isTransient(new Error('timeout exceeded when trying to connect'))).toBe(true);
    expect(isTransient(new Error('outer', { cause: withCode('40001') }))).toBe(true);
    expect(isTransient(new AggregateError([withCode('ECONNREFUSED'), withCode('ECONNREFUSED')]))).toBe(true);
    expect(isTransient(new Error('outer', { cause: new Error('inner') }))).toBe(false);
  });

  it.each([undefined, null, 'Connection terminated', { code: '40001' }])('is false for %p, which is no error', (value) => {
    expect(isTransient(value)).toBe(false);
  });
});

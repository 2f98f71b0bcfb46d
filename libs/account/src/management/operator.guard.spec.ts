import { describe, expect, it } from '@jest/globals';
import { OperatorToken } from './operator.guard.js';

const token = 'a'.repeat(32);

describe('the operator token', () => {
  it('matches itself and nothing else, whatever the length', () => {
    const operator = new OperatorToken(token);
    expect(operator.matches(token)).toBe(true);
    for (const other of ['', 'a', token.slice(1), `${token}a`, 'b'.repeat(32), 'ä'.repeat(32)]) expect(operator.matches(other)).toBe(false);
  });

  it('is not kept in the clear', () => {
    expect(JSON.stringify(new OperatorToken(token))).not.toContain(token);
  });

  it.each(['', 'admin', 'x'.repeat(31)])('is refused when it could be guessed: %p', (weak) => {
    expect(() => new OperatorToken(weak)).toThrow('32');
  });
});

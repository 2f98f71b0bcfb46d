import { describe, expect, it } from '@jest/globals';
import { isLifelineProof, lifelineProof } from './lifeline-proof.js';

describe('the proof of a lifeline', () => {
  it('is made by who knows the token, for this challenge', () => {
    expect(isLifelineProof('token', 'one', lifelineProof('token', 'caller', 'one'))).toBe(true);
  });

  it.each([
    ['another token', lifelineProof('other', 'caller', 'one')],
    ['another challenge', lifelineProof('token', 'caller', 'two')],
    ['the answer of the other side, sent back', lifelineProof('token', 'simulator', 'one')],
    ['nothing', ''],
    ['the token itself', 'token'],
  ])('is not %s', (_title, candidate) => {
    expect(isLifelineProof('token', 'one', candidate)).toBe(false);
  });
});

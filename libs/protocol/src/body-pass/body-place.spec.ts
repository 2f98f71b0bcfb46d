import { describe, expect, it } from '@jest/globals';
import { ANYTHING, list, object, oneOrMany, scalar } from './body-place.js';
import { ARRAY, BOOLEAN, NULL, NUMBER, OBJECT } from './json-kind.js';

describe('body place', () => {
  it('says in words what may stand there', () => {
    expect(scalar(NUMBER).expected).toBe('a number');
    expect(scalar(BOOLEAN | NULL).expected).toBe('a boolean or null');
    expect(list(undefined, { or: OBJECT | NULL }).expected).toBe('an object, an array or null');
    expect(object({}, { expected: 'a cat' }).expected).toBe('a cat');
  });

  it('takes one message where a list of them is expected', () => {
    const one = object({ a: ANYTHING });
    const many = oneOrMany(one);
    expect(many).toMatchObject({ kinds: OBJECT | ARRAY, fields: one.fields, elements: one });
  });

  it('gives each field a bit of its own, and refuses more than a set can hold', () => {
    const fields = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`f${index}`, ANYTHING]));
    const bits = object(fields(31), { required: Object.keys(fields(31)) }).required.map(({ bit }) => bit);
    expect(new Set(bits).size).toBe(31);
    expect(Math.min(...bits)).toBe(1);
    expect(() => object(fields(32))).toThrow(RangeError);
  });
});

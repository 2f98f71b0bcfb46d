import { describe, expect, it } from '@jest/globals';
import { isObject, numberIf, objectOf, objectsOf, textIf, textOf } from './json.js';

describe('values of a JSON body that may be anything', () => {
  it.each([null, undefined, 1, 'x', true, []])('%j is no object and reads as an empty one', (value) => {
    expect(isObject(value)).toBe(false);
    expect(objectOf(value)).toEqual({});
  });

  it('keeps the objects of a list and drops the rest', () => {
    expect(objectsOf([1, { a: 1 }, null, ['x'], { b: 2 }])).toEqual([{ a: 1 }, { b: 2 }]);
    expect(objectsOf({ a: 1 })).toEqual([]);
  });

  it('takes only what has the type', () => {
    expect([textOf('x'), textOf(1), textIf('x'), textIf(1)]).toEqual(['x', '', 'x', undefined]);
    expect([numberIf(0), numberIf('0')]).toEqual([0, undefined]);
  });
});

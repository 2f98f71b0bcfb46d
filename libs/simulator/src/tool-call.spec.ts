import { describe, expect, it } from '@jest/globals';
import { exampleOf } from './tool-call.js';

describe('example arguments', () => {
  it.each([
    [{ type: 'string', enum: ['a'] }, 'a'],
    [{ const: 5 }, 5],
    [{ type: 'ARRAY', items: { type: 'BOOLEAN' } }, [true]],
    [{ type: ['integer', 'null'], minimum: 42 }, 42],
    [{ anyOf: [{ type: 'null' }, { type: 'string' }] }, null],
    [{ properties: { a: { type: 'object', properties: { b: { type: 'boolean' } } } } }, { a: { b: true } }],
  ])('follow the schema %j', (schema, value) => {
    expect(exampleOf(schema, 1)).toEqual(value);
  });

  it('end for a schema that never ends', () => {
    const endless: Record<string, unknown> = { type: 'object' };
    endless['properties'] = { next: endless };
    expect(JSON.stringify(exampleOf(endless, 1))).toContain('null');
  });
});

import { describe, expect, it } from '@jest/globals';
import { BodyRecord } from './body-record.js';
import { BodyWalker } from './body-walker.js';
import { JsonScanner } from './json-scanner.js';
import { integer, toolType } from './recorded-values.js';
import type { Place } from './body-place.js';

function take(place: Place, text: string, record = new BodyRecord()): boolean {
  return new BodyWalker(new JsonScanner(Buffer.from(text)), record).value(place);
}

describe('recorded values', () => {
  it('judges an integer by its value, not by how it is written', () => {
    for (const [text, expected] of [['7', 7], ['-1', -1], ['1e2', 100], ['100.0', 100], ['-0', 0], ['2147483648', 2 ** 31], ['null', undefined]] as const) {
      let taken: number | undefined = -99;
      expect(take(integer({ min: -1 }, (_, amount) => (taken = amount)), text)).toBe(true);
      expect(taken).toBe(expected);
    }
    for (const text of ['-2', '1.5', '2147483649', '1e999', '9'.repeat(5000), '"7"']) {
      expect(take(integer({ min: -1 }, () => undefined), text)).toBe(false);
    }
  });

  it('lists a hosted tool once and bounds how often tools are named', () => {
    const place = toolType({ names: ['function'], prefixes: ['bash_'] });
    const record = new BodyRecord();
    for (const text of ['"function"', '"bash_1"', '"web"', '"w\\u0065b"', 'null']) expect(take(place, text, record)).toBe(true);
    expect(record.facts.hostedTools).toEqual(['web']);
    for (let count = 3; count < 256; count++) expect(take(place, '"bash_1"', record)).toBe(true);
    expect(take(place, '"bash_1"', record)).toBe(false);
    expect(take(place, '"function"', record)).toBe(true);
  });
});

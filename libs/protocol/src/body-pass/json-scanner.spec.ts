import { describe, expect, it } from '@jest/globals';
import { KIND_OF_BYTE, NULL, NUMBER, STRING } from './json-kind.js';
import { JsonScanner } from './json-scanner.js';

describe('JSON scanner', () => {
  it('leaves behind where a string lies, without its quotes, and whether it is escaped', () => {
    for (const [text, content, escaped] of [['""', '', false], ['"ü"x', 'ü', false], ['"a\\"b"', 'a\\"b', true]] as const) {
      const scanner = new JsonScanner(Buffer.from(text));
      expect(scanner.string()).toBe(true);
      expect(scanner.body.toString('utf8', scanner.start, scanner.end)).toBe(content);
      expect(scanner.escaped).toBe(escaped);
      expect(scanner.at).toBe(scanner.end + 1);
    }
  });

  it('ends a number before what is not part of it', () => {
    for (const [text, end] of [['12,', 2], ['-0.50e+3]', 8], ['0 ', 1], ['1e5', 3]] as const) {
      const scanner = new JsonScanner(Buffer.from(text));
      expect(scanner.number()).toBe(true);
      expect(scanner.at).toBe(end);
    }
  });

  it('skips the four kinds of white space and no other', () => {
    const scanner = new JsonScanner(Buffer.from(' \t\r\n\u000b'));
    expect(scanner.next()).toBe(0x0b);
    expect(scanner.at).toBe(4);
    expect(new JsonScanner(Buffer.from('  ')).next()).toBe(-1);
  });

  it('keeps the offset of what it stumbles over', () => {
    const scanner = new JsonScanner(Buffer.from(`"${'x'.repeat(50)}\n"`));
    expect(scanner.string()).toBe(false);
    expect(scanner.troubleAt).toBe(51);
    expect(scanner.trouble).toContain('control character');
  });

  it('knows a value by its first byte', () => {
    const kinds = ['"', '-', '7', 'n', '+', 'x'].map((character) => KIND_OF_BYTE[character.charCodeAt(0)]);
    expect(kinds).toEqual([STRING, NUMBER, NUMBER, NULL, 0, 0]);
  });
});

import { describe, expect, it } from '@jest/globals';
import { beginsWith, decodeAscii, decodeText } from './json-text.js';

function content(raw: string): [Buffer, { start: number; end: number; escaped: boolean }] {
  const body = Buffer.from(`"${raw}"`);
  return [body, { start: 1, end: body.length - 1, escaped: raw.includes('\\') }];
}

describe('JSON text', () => {
  it('decodes what JSON.parse decodes', () => {
    for (const raw of ['', 'a', 'ü😀', '\\u0041\\n\\/', '\\ud83d\\ude00', '\\ud83d']) expect(decodeText(...content(raw))).toBe(JSON.parse(`"${raw}"`));
  });

  it('unescapes ASCII into the room that there is, and marks what is not ASCII', () => {
    for (const [raw, decoded] of [['abc', 'abc'], ['\\u006F\\u006f', 'oo'], ['\\"\\\\\\/\\b\\f\\n\\r\\t', '"\\/\b\f\n\r'], ['aü', 'a\u00ff'], ['\\u0141b', '\u00ff']] as const) {
      const room = new Uint8Array(7);
      const count = decodeAscii(...content(raw), room);
      expect(Buffer.from(room.subarray(0, count)).toString('latin1')).toBe(decoded);
    }
  });

  it('finds a prefix in any letter case and escaping', () => {
    const rows = [['data:x', true], ['DaTa:', true], ['\\u0044ata\\u003a', true], ['data', false], ['', false], [' data:', false], ['dat\\u0161:', false]] as const;
    for (const [raw, found] of rows) expect(beginsWith(...content(raw), 'data:')).toBe(found);
  });
});

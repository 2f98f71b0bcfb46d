import { describe, expect, it } from '@jest/globals';
import { NameTable } from './name-table.js';

describe('name table', () => {
  const table = new NameTable([['n', 1], ['model', 2], ['stream', 3], ['system', 4]]);
  const find = (raw: string): number | undefined => {
    const body = Buffer.from(`"${raw}"`);
    return table.find(body, { start: 1, end: body.length - 1, escaped: raw.includes('\\') });
  };

  it('finds a name however it is escaped', () => {
    expect(['n', 'model', 'stream', 'system', '\\u006e', 'mod\\u0065l', '\\u0073\\u0074ream'].map(find)).toEqual([1, 2, 3, 4, 1, 2, 3]);
  });

  it('takes no other name for it', () => {
    for (const raw of ['', 'N', 'mode', 'models', 'strean', 'syst\\u0065ms', 'mod\\u0165l', '\\u006e\\u0000', '__proto__', 'x'.repeat(99)]) {
      expect(find(raw)).toBeUndefined();
    }
  });
});

import { readFile } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';
import { DirectiveError, directiveNames, Directives } from './directives.js';

describe('directives', () => {
  it('are read anywhere in a JSON body, the last value of a name winning', () => {
    const body = JSON.stringify({ a: 'x [[sim: cut-after=3 crlf]] y', b: ['[[sim: cut-after=5  tag=a.b-c]]'] });
    const directives = Directives.read(body);
    expect(directives.number('cut-after')).toBe(5);
    expect(directives.flag('crlf')).toBe(true);
    expect(directives.flag('gzip')).toBe(false);
    expect(directives.word('tag')).toBe('a.b-c');
  });

  it.each(['unknown', 'cut-after', 'cut-after=', 'cut-after=-1', 'cut-after=1.5', 'cut-after=9999999999', 'crlf=1', 'tag', 'status=200', 'status=600'])(
    'refuse "%s"',
    (word) => expect(() => Directives.read(`[[sim: ${word}]]`)).toThrow(DirectiveError),
  );

  it('keep what shapes the answer when faults are switched off', () => {
    const directives = Directives.read('[[sim: status=500 output-tokens=7]]').withoutFaults();
    expect(directives.number('status')).toBeUndefined();
    expect(directives.number('output-tokens')).toBe(7);
  });

  it('stand in the README, each of them and no other', async () => {
    const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
    const listed = [...readme.matchAll(/^\| `([a-z0-9-]+)/gm)].map((match) => match[1]);
    expect([...new Set(listed)].sort()).toEqual([...directiveNames].sort());
  });
});

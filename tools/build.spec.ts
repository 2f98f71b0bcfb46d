import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { fingerprintOf } from './build.mjs';

describe('fingerprintOf', () => {
  let root: string;
  const write = (path: string, text: string) => writeFileSync(join(root, path), text);
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'tokone-build-'));
    for (const folder of ['apps', 'libs/spool/src', 'libs/spool/dist']) mkdirSync(join(root, folder), { recursive: true });
    write('tsconfig.json', '{}');
    write('libs/spool/src/segment.ts', 'one');
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it.each([
    ['a source that grew', () => write('libs/spool/src/segment.ts', 'longer')],
    ['a source checked out older', () => utimesSync(join(root, 'libs/spool/src/segment.ts'), new Date(1), new Date(1))],
    ['a new source', () => write('libs/spool/src/index.ts', '')],
    ['a source that is gone', () => rmSync(join(root, 'libs/spool/src/segment.ts'))],
    ['a new JSON file', () => write('libs/spool/src/seed.json', '{}')],
    ['a new compiler option', () => write('tsconfig.json', '{"files":[]}')],
  ])('changes with %s', (_title, change) => {
    const before = fingerprintOf(root);
    change();
    expect(fingerprintOf(root)).not.toBe(before);
  });

  it.each([
    ['what the build writes', () => write('libs/spool/dist/segment.js', '')],
    ['a spec', () => write('libs/spool/src/segment.spec.ts', '')],
    ['nothing', () => undefined],
  ])('does not change with %s', (_title, change) => {
    const before = fingerprintOf(root);
    change();
    expect(fingerprintOf(root)).toBe(before);
  });
});

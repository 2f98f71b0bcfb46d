import { describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { processCommandLine, processStart, startFromStat } from './process-identity.js';

const FIELDS_4_TO_21 = '1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18';

describe('startFromStat', () => {
  it.each([
    ['a plain name', `7 (node) S ${FIELDS_4_TO_21} 4711 0`, '4711'],
    ['a name with spaces and parentheses', `7 (a) S 1 (b) R ${FIELDS_4_TO_21} 4711 0`, '4711'],
    ['a zombie', `7 (node) Z ${FIELDS_4_TO_21} 4711 0`, undefined],
  ])('reads %s', (_title, stat, start) => {
    expect(startFromStat(stat)).toBe(start);
  });
});

describe('processStart', () => {
  it('stays the same for a process, differs between two, and is undefined for none', async () => {
    expect(await processStart(process.pid)).toBe(await processStart(process.pid));
    expect(await processStart(process.pid)).not.toBe(await processStart(1));
    expect(await processStart(4_194_305)).toBeUndefined();
  });
});

describe('processCommandLine', () => {
  it('gives the program and its arguments', async () => {
    const child = spawn(process.execPath, ['-e', 'process.stdin.resume()', 'an argument']);
    const exited = new Promise((resolve) => child.once('exit', resolve));
    try {
      expect(await processCommandLine(Number(child.pid))).toBe(`${process.execPath} -e process.stdin.resume() an argument`);
    } finally {
      child.stdin.end();
      await exited;
    }
    expect(await processCommandLine(Number(child.pid))).toBeUndefined();
  });
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { childCommand, startChild } from '../test/child-process.js';
import { eventually, SpoolFixture } from '../test/spool-fixture.js';
import { processStart } from './process-start.js';

let fixture: SpoolFixture;
beforeEach(() => {
  fixture = new SpoolFixture();
});
afterEach(() => fixture.cleanUp());

const lockOf = (folder: string): string => join(folder, 'spool.lock');

describe('the lock of a spool folder', () => {
  it('refuses a second spool in the same process, with a sentence that names the holder', async () => {
    const folder = fixture.folder();
    const spool = await fixture.open(folder);
    await expect(fixture.open(folder)).rejects.toMatchObject({ code: 'locked', message: expect.stringContaining(`process ${process.pid}`) });
    await spool.close();
    await fixture.open(folder);
  });

  it('lets only one of many that open at once through', async () => {
    const folder = fixture.folder();
    writeFileSync(lockOf(folder), JSON.stringify({ pid: 2 ** 30, started: 'dead' }));
    const tries = await Promise.allSettled(Array.from({ length: 10 }, () => fixture.open(folder)));
    expect(tries.filter((attempt) => attempt.status === 'fulfilled').length).toBe(1);
    expect(readdirSync(folder).filter((name) => name.includes('lock'))).toEqual(['spool.lock']);
  });

  it('refuses while another process lives that holds it, and takes it over when that one was killed', async () => {
    const folder = fixture.folder();
    const child = startChild(childCommand('./appending-program.mjs', folder, '0'));
    try {
      await eventually('an append', () => child.output().length > 0);
      await expect(fixture.open(folder)).rejects.toMatchObject({ code: 'locked', message: expect.stringContaining(`process ${child.process.pid}`) });
    } finally {
      child.process.kill('SIGKILL');
    }
    await child.ended;
    await fixture.open(folder);
  });

  it('is not fooled by another process that got the id of a dead holder', async () => {
    const folder = fixture.folder();
    const stranger = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    try {
      expect(processStart(stranger.pid!)).toBeDefined();
      writeFileSync(lockOf(folder), JSON.stringify({ pid: stranger.pid, started: 'at another time' }));
      await fixture.open(folder);
      expect(JSON.parse(readFileSync(lockOf(folder), 'utf8'))).toMatchObject({ pid: process.pid });
    } finally {
      stranger.kill('SIGKILL');
      await once(stranger, 'exit');
    }
  });

  it.each(['', '{', 'null', '{"pid":"x"}', '\0\0\0\0'])('takes over a lock file that says %j', async (content) => {
    const folder = fixture.folder();
    writeFileSync(lockOf(folder), content);
    await fixture.open(folder);
  });

  it('does not take away the lock of a successor', async () => {
    const folder = fixture.folder();
    const spool = await fixture.open(folder);
    writeFileSync(lockOf(folder), 'a successor');
    await spool.close();
    expect(readFileSync(lockOf(folder), 'utf8')).toBe('a successor');
  });
});

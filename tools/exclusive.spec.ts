import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { withLock } from './exclusive.mjs';

describe('withLock', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tokone-exclusive-'));
    path = join(folder, 'below', 'install.lock');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('lets one holder in at a time, and everyone in the end', async () => {
    let inside = 0;
    let most = 0;
    const work = async () => {
      inside += 1;
      most = Math.max(most, inside);
      await new Promise((resolve) => setTimeout(resolve, 5));
      inside -= 1;
    };
    await Promise.all(Array.from({ length: 8 }, () => withLock({ path, pollMs: 3 }, work)));
    expect(most).toBe(1);
    expect(existsSync(path)).toBe(false);
  });

  it('gives the lock back when the work fails', async () => {
    await expect(withLock({ path }, () => Promise.reject(new Error('no network')))).rejects.toThrow('no network');
    expect(existsSync(path)).toBe(false);
  });

  it('takes over from a process that was killed', async () => {
    const { pid } = spawnSync('true');
    await withLock({ path }, () => Promise.resolve());
    writeFileSync(path, `${pid} left behind`);
    expect(await withLock({ path, pollMs: 3 }, () => Promise.resolve('done'))).toBe('done');
  });

  it('takes over a lock whose heartbeat stopped, though its process number is in use', async () => {
    await withLock({ path }, () => Promise.resolve());
    writeFileSync(path, `${process.pid} of another container`);
    utimesSync(path, new Date(0), new Date(0));
    expect(await withLock({ path, pollMs: 3 }, () => Promise.resolve('done'))).toBe('done');
  });

  it('says that it waits, once, and stops waiting when asked to', async () => {
    const stop = new AbortController();
    let waits = 0;
    await withLock({ path }, async () => {
      const waiting = withLock({ path, pollMs: 3, signal: stop.signal, onWait: () => (waits += 1) }, () => Promise.resolve());
      setTimeout(() => stop.abort(), 30);
      await expect(waiting).rejects.toThrow();
    });
    expect(waits).toBe(1);
  });
});

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockFolder } from './folder-lock.js';
import { processStart } from './process-identity.js';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tokone-lock-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function leaveLock(holder: unknown): Promise<void> {
  await writeFile(join(folder, 'lock'), typeof holder === 'string' ? holder : JSON.stringify(holder));
}

/** The id and start of a process that has ended. */
async function endedProcess(): Promise<{ pid: number; startedAt: string }> {
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume()']);
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const holder = { pid: Number(child.pid), startedAt: String(await processStart(Number(child.pid))) };
  child.stdin.end();
  await exited;
  return holder;
}

describe('lockFolder', () => {
  it('creates the folder for its owner alone, and the lock in it', async () => {
    const inner = join(folder, 'a', 'b');
    const lock = await lockFolder(inner);
    expect((await stat(inner)).mode & 0o777).toBe(0o700);
    expect(await readdir(inner)).toEqual(['lock']);
    expect(JSON.parse(await readFile(join(inner, 'lock'), 'utf8'))).toEqual({ pid: process.pid, startedAt: await processStart(process.pid) });
    await lock.release();
    expect(await readdir(inner)).toEqual([]);
  });

  it('names the living holder in its refusal and leaves the lock alone', async () => {
    const child = spawn(process.execPath, ['-e', 'process.stdin.resume()']);
    const exited = new Promise((resolve) => child.once('exit', resolve));
    try {
      const holder = { pid: Number(child.pid), startedAt: await processStart(Number(child.pid)) };
      await leaveLock(holder);
      await expect(lockFolder(folder)).rejects.toMatchObject({
        name: 'StartupError',
        message: `TokOne already runs on ${folder}, as process ${child.pid}: stop that process, or set TOKONE_DATA_DIR to another folder.`,
      });
      expect(JSON.parse(await readFile(join(folder, 'lock'), 'utf8'))).toEqual(holder);
      expect(await readdir(folder)).toEqual(['lock']);
    } finally {
      child.stdin.end();
      await exited;
    }
  });

  it.each<[string, () => Promise<unknown>]>([
    ['of a process that has ended', endedProcess],
    ['whose process id belongs to a later process', async () => ({ pid: process.pid, startedAt: 'an earlier boot:1' })],
    ['that is empty, as after a power loss', async () => ''],
    ['that holds no holder', async () => 'null'],
  ])('takes over a lock %s', async (_title, holder) => {
    await leaveLock(await holder());
    const lock = await lockFolder(folder);
    await expect(lockFolder(folder)).rejects.toThrow(`as process ${process.pid}:`);
    await lock.release();
    expect(await readdir(folder)).toEqual([]);
  });

  it('takes over a lock whose takeover was itself cut off by a kill', async () => {
    const holder = await endedProcess();
    await leaveLock(holder);
    await writeFile(join(folder, 'lock.takeover'), JSON.stringify(holder));
    await (await lockFolder(folder)).release();
    expect(await readdir(folder)).toEqual([]);
  });

  it('lets exactly one of many through that find the same abandoned lock at once', async () => {
    for (let round = 0; round < 20; round += 1) {
      await leaveLock({ pid: process.pid, startedAt: 'an earlier boot:1' });
      const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(folder)));
      const winners = outcomes.filter((outcome) => outcome.status === 'fulfilled');
      expect(winners).toHaveLength(1);
      for (const winner of winners) await winner.value.release();
      expect(await readdir(folder)).toEqual([]);
    }
  });

  it('says in a sentence that a file stands where the folder should be', async () => {
    await leaveLock('x');
    for (const path of [join(folder, 'lock'), join(folder, 'lock', 'below')]) {
      await expect(lockFolder(path)).rejects.toMatchObject({ name: 'StartupError', message: expect.stringContaining('a file stands in its way') });
    }
  });
});

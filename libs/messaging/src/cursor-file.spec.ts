import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { CursorFile } from './cursor-file.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cursor-file-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('CursorFile', () => {
  it('gives back the last position that was saved, after a restart too, and leaves nothing else behind', async () => {
    const file = new CursorFile(join(folder, 'inner', 'cursor'));
    for (let position = 1n; position <= 100n; position++) file.save({ logId: 'log', position });
    await file.flush();
    expect(await new CursorFile(join(folder, 'inner', 'cursor')).read('log')).toBe(100n);
    expect(await readdir(join(folder, 'inner'))).toEqual(['cursor']);
  });

  it('knows nothing of another log', async () => {
    const file = new CursorFile(join(folder, 'cursor'));
    file.save({ logId: 'log', position: 5n });
    await file.flush();
    expect(await file.read('another')).toBeUndefined();
  });

  it.each(['', '{', 'null', '{"logId":"log"}', '{"logId":"log","position":5}', '{"logId":"log","position":"-5"}'])('takes %p for no cursor', async (text) => {
    await writeFile(join(folder, 'cursor'), text);
    expect(await new CursorFile(join(folder, 'cursor')).read('log')).toBeUndefined();
  });

  it('does without its file when that cannot be written', async () => {
    await writeFile(join(folder, 'plain'), '');
    const file = new CursorFile(join(folder, 'plain', 'cursor'));
    file.save({ logId: 'log', position: 5n });
    await file.flush();
    expect(await file.read('log')).toBeUndefined();
  });
});

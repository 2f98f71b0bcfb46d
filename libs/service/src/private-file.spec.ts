import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { readFileIfThere, writePrivateFile } from './private-file.js';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tokone-private-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('is replaced as a whole, for its owner alone, whatever a kill left of a draft', async () => {
  const path = join(folder, 'secret');
  expect(await readFileIfThere(path)).toBeUndefined();
  await writeFile(`${path}.new`, 'a longer half of something', { mode: 0o644 });
  await writePrivateFile(path, 'one');
  await writePrivateFile(path, 'two');
  expect(await readFileIfThere(path)).toBe('two');
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readdir(folder)).toEqual(['secret']);
});

it('that cannot be read is an error, not a missing one', async () => {
  await expect(readFileIfThere(join(folder, 'secret', 'below'))).resolves.toBeUndefined();
  await writeFile(join(folder, 'file'), '');
  await expect(readFileIfThere(join(folder, 'file', 'below'))).rejects.toMatchObject({ code: 'ENOTDIR' });
});

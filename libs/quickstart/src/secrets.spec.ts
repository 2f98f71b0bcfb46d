import { chmod, mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { StartupError } from '@tokone/persistence';
import { makeTemporaryFolder } from '@tokone/testing';
import type { TemporaryFolder } from '@tokone/testing';
import { readSecrets } from './secrets.js';

let folder: TemporaryFolder;
let other: TemporaryFolder;
beforeEach(async () => {
  [folder, other] = await Promise.all([makeTemporaryFolder('secrets'), makeTemporaryFolder('secrets')]);
});
afterEach(() => Promise.all([folder.remove(), other.remove()]));

describe('secrets', () => {
  it('are 256 random bits each, different in each folder', async () => {
    const [one, two] = await Promise.all([readSecrets(folder.path), readSecrets(other.path)]);
    const all = [one, two].flatMap(({ pepper, sealingKey, operatorToken }) => [pepper.toString('base64url'), sealingKey.toString('base64url'), operatorToken]);
    expect(new Set(all).size).toBe(6);
    for (const secret of all) expect(Buffer.from(secret, 'base64url')).toHaveLength(32);
  });

  it('stay what they are, in files for their owner alone', async () => {
    const first = await readSecrets(folder.path);
    expect(await readSecrets(folder.path)).toEqual(first);
    for (const name of await readdir(folder.path)) expect((await stat(join(folder.path, name))).mode & 0o777).toBe(0o600);
  });

  it('are not made a second time beside a database that needs the first ones', async () => {
    await readSecrets(folder.path);
    await mkdir(join(folder.path, 'cluster'));
    for (const name of ['pepper', 'credential-key']) {
      const path = join(folder.path, name);
      const kept = await readFile(path);
      await rm(path);
      const refusal = await readSecrets(folder.path).catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(StartupError);
      expect(String(refusal)).toMatch(new RegExp(`${name} is missing.*backup`));
      await writeFile(path, kept);
    }
    await rm(join(folder.path, 'operator-token'));
    expect((await readSecrets(folder.path)).operatorToken).toHaveLength(43);
  });

  it('are refused when they are damaged', async () => {
    await readSecrets(folder.path);
    await writeFile(join(folder.path, 'pepper'), 'short\n');
    await expect(readSecrets(folder.path)).rejects.toThrow('pepper is damaged');
  });

  it('are whole after a kill in the middle of their making', async () => {
    await writeFile(join(folder.path, 'pepper.new'), 'ha');
    await chmod(join(folder.path, 'pepper.new'), 0o644);
    const { pepper } = await readSecrets(folder.path);
    expect(pepper).toHaveLength(32);
    expect((await stat(join(folder.path, 'pepper'))).mode & 0o777).toBe(0o600);
  });
});

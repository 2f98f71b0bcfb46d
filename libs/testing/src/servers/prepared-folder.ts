import { randomBytes } from 'node:crypto';
import { access, mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { WORKSPACE } from '../child-program.js';

/** Survives a run, not a fresh installation; a machine that installs often may name a place that does. */
const CACHE = process.env['TOKONE_SERVERS_CACHE'] ?? join(WORKSPACE, 'node_modules', '.cache', 'tokone-servers');

/**
 * A folder of the cache that is made once and never changed, so its name must tell all that its content depends on. It
 * appears complete or not at all; two processes that make it at the same time do the work twice, and one's result stays.
 */
export async function preparedFolder(name: string, fill: (folder: string) => Promise<void>): Promise<string> {
  const folder = join(CACHE, name);
  if (await exists(folder)) return folder;
  const draft = `${folder}.unfinished-${randomBytes(6).toString('hex')}`;
  await mkdir(draft, { recursive: true });
  try {
    await fill(draft);
    await mkdir(dirname(folder), { recursive: true });
    await rename(draft, folder).catch(async (error: unknown) => {
      if (!(await exists(folder))) throw error;
    });
    return folder;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

export async function exists(path: string): Promise<boolean> {
  return access(path).then(() => true, () => false);
}

import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { processStart } from './process-start.js';
import { SpoolError } from './spool-error.js';

const ATTEMPTS = 5;

/**
 * One process at a time writes to a spool folder. Node has no `flock`, so the lock is a file that names its holder by
 * process id and start time; it is dead when no such process lives. It appears whole, by `link`, which only one wins.
 */
export class FolderLock {
  private readonly path: string;
  private readonly content: string;

  private constructor(path: string, content: string) {
    this.path = path;
    this.content = content;
  }

  /** Throws `locked` with the holder's process id while it lives. */
  static take(folder: string): FolderLock {
    const path = join(folder, 'spool.lock');
    const started = processStart(process.pid);
    const content = JSON.stringify({ pid: process.pid, started, token: randomUUID() });
    const own = `${path}.${randomUUID()}`;
    writeFileSync(own, content, { mode: 0o600 });
    try {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        if (linkOrSee(own, path)) return new FolderLock(path, content);
        const held = readLock(path);
        if (held === undefined) continue;
        const pid = livingHolder(held);
        if (pid !== undefined) {
          throw new SpoolError('locked', `The spool folder ${folder} is in use by process ${pid}: stop it, or give this one a folder of its own.`);
        }
        removeDead(path, held);
      }
    } finally {
      rmSync(own, { force: true });
    }
    throw new SpoolError('locked', `The spool folder ${folder} is being opened by another process at this moment: try again.`);
  }

  release(): void {
    if (readLock(this.path) === this.content) rmSync(this.path, { force: true });
  }
}

function linkOrSee(own: string, path: string): boolean {
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function readLock(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** Undefined when the holder is dead, or the file is what a power loss left of a lock. */
function livingHolder(content: string): number | undefined {
  try {
    const { pid, started } = JSON.parse(content) as { pid: number; started: string };
    return Number.isInteger(pid) && processStart(pid) === started ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** Two newcomers may judge the same dead lock: the slower one must not take away the quicker one's new lock. */
function removeDead(path: string, judged: string): void {
  const aside = `${path}.${randomUUID()}`;
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  try {
    if (readLock(aside) !== judged) linkOrSee(aside, path);
  } finally {
    rmSync(aside, { force: true });
  }
}

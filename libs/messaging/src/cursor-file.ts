import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { readTally } from './record-tally.js';
import type { StoredTally } from './record-tally.js';

/** How far a log was read, of the log with this id. */
export interface StoredCursor {
  logId: string;
  position: bigint;
  /** What was counted up to there. */
  tally?: StoredTally | undefined;
}

/**
 * A cursor in a file, replaced as a whole. It may lag behind what was saved, and after a power loss it may be any older
 * one, or none: for a reader whose work may be repeated, and that would only be slowed down by more.
 */
export class CursorFile {
  private waiting: StoredCursor | undefined;
  private writing: Promise<void> | undefined;
  private folder: Promise<unknown> | undefined;

  constructor(private readonly path: string) {}

  /** Undefined when there is none that can be read, or it is of another log. */
  async read(logId: string): Promise<bigint | undefined> {
    return (await this.readStored(logId))?.position;
  }

  /** The same with what was counted. */
  async readStored(logId: string): Promise<StoredCursor | undefined> {
    try {
      const stored = JSON.parse(await readFile(this.path, 'utf8')) as { logId?: unknown; position?: unknown; tally?: unknown };
      if (stored.logId !== logId || typeof stored.position !== 'string' || !/^\d+$/.test(stored.position)) return undefined;
      return { logId, position: BigInt(stored.position), tally: readTally(stored.tally) };
    } catch {
      return undefined;
    }
  }

  /** Written soon; while one is being written, only the last one that comes meanwhile follows. */
  save(cursor: StoredCursor): void {
    this.waiting = cursor;
    this.writing ??= this.writeAll().finally(() => (this.writing = undefined));
  }

  /** Resolves when everything that was saved is written, or could not be. */
  async flush(): Promise<void> {
    await this.writing;
  }

  private async writeAll(): Promise<void> {
    while (this.waiting) {
      const { logId, position, tally } = this.waiting;
      this.waiting = undefined;
      const next = `${this.path}.next`;
      try {
        this.folder ??= mkdir(dirname(this.path), { recursive: true, mode: 0o700 });
        await this.folder;
        await writeFile(next, `${JSON.stringify({ logId, position: `${position}`, tally })}\n`, { mode: 0o600 });
        await rename(next, this.path);
      } catch {
        // The old one stays: what came after it is read once more. A full disk is the spool's own alarm.
        this.folder = undefined;
      }
    }
  }
}

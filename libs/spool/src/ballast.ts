import { open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { SpoolFiles } from './spool-files.js';

const STEP_BYTES = 1_048_576;

/**
 * A file of zeros that is given up when the disk is full, so that running requests can still be closed. It is
 * written, not only sized: a sparse file reserves nothing.
 */
export class Ballast {
  private readonly path: string;
  private readonly folder: string;
  private readonly bytes: number;
  private readonly files: SpoolFiles;
  ready = false;
  /** Grows with each `free`, so that a restore which was overtaken by one does not claim to be done. */
  private freed = 0;

  constructor(folder: string, bytes: number, files: SpoolFiles) {
    this.folder = folder;
    this.path = join(folder, 'ballast');
    this.bytes = bytes;
    this.files = files;
  }

  /** Resolves to whether the ballast is in place; never takes the last space that records may need meanwhile. */
  async restore(): Promise<boolean> {
    if (this.bytes === 0 || (await this.stands())) return (this.ready = true);
    const freed = this.freed;
    try {
      // Twice its size must be free: else writing it would itself fill the disk.
      if ((await this.files.freeBytes(this.folder)) < 2 * this.bytes) return (this.ready = false);
      await this.fill();
      return (this.ready = freed === this.freed);
    } catch {
      await rm(this.path, { force: true }).catch(() => undefined);
      return (this.ready = false);
    }
  }

  /** Gives the space back to the disk. */
  free(): void {
    if (this.bytes === 0) return;
    this.ready = false;
    this.freed++;
    try {
      this.files.unlinkSync(this.path);
    } catch {
      // It was not there, or the disk refuses that too; the alarm about the disk is already out.
    }
  }

  private async stands(): Promise<boolean> {
    const { size, blocks } = await stat(this.path).catch(() => ({ size: -1, blocks: 0 }));
    return size === this.bytes && blocks > 0;
  }

  private async fill(): Promise<void> {
    const zeros = Buffer.alloc(Math.min(STEP_BYTES, this.bytes));
    const handle = await open(this.path, 'w', 0o600);
    try {
      for (let at = 0; at < this.bytes; ) {
        const { bytesWritten } = await handle.write(zeros, 0, Math.min(zeros.length, this.bytes - at), at);
        at += bytesWritten;
      }
      await handle.datasync();
    } finally {
      await handle.close();
    }
  }
}

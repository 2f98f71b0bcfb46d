import * as fs from 'node:fs';

/** The file operations of the write side, in node:fs's own shapes, so that a test can make each of them fail. */
export interface SpoolFiles {
  openSync(path: string, flags: string, mode: number): number;
  writeSync(descriptor: number, bytes: Uint8Array, offset: number, length: number, position: number): number;
  ftruncateSync(descriptor: number, length: number): void;
  fdatasync(descriptor: number, done: (error: Error | null) => void): void;
  closeSync(descriptor: number): void;
  unlinkSync(path: string): void;
  /** Makes new and deleted names of a folder durable. */
  syncFolder(folder: string): Promise<void>;
  /** Bytes that an unprivileged process may still write. */
  freeBytes(folder: string): Promise<number>;
}

export const nodeFiles: SpoolFiles = {
  openSync: fs.openSync,
  writeSync: fs.writeSync,
  ftruncateSync: fs.ftruncateSync,
  fdatasync: fs.fdatasync,
  closeSync: fs.closeSync,
  unlinkSync: fs.unlinkSync,
  async syncFolder(folder) {
    const handle = await fs.promises.open(folder, 'r');
    try {
      await handle.sync();
    } catch (error) {
      // Some network and user-space file systems know no sync of a folder; they have nothing to make durable there.
      if (!['EINVAL', 'ENOTSUP', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    } finally {
      await handle.close();
    }
  },
  async freeBytes(folder) {
    const { bavail, bsize } = await fs.promises.statfs(folder);
    return bavail * bsize;
  },
};

import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeFiles, Spool, type SpoolAlarm, type SpoolFiles, type SpoolOptions } from '../src/index.js';

export const OPEN = 1;
export const PROGRESS = 2;
export const EXTEND = 3;
export const CLOSE = 4;
export const REFUSED = 5;
export const EVERYTHING = { records: 1_000_000, bytes: 1 << 30 };

/** A UUID that names a number. */
export function idOf(number: number): string {
  return `00000000-0000-7000-8000-${number.toString(16).padStart(12, '0')}`;
}

/** Folders and spools of one test; `cleanUp` closes and removes them all. */
export class SpoolFixture {
  readonly alarms: SpoolAlarm[] = [];
  private readonly folders: string[] = [];
  private readonly spools: Spool[] = [];

  folder(): string {
    const folder = mkdtempSync(join(tmpdir(), 'spool-'));
    this.folders.push(folder);
    return folder;
  }

  /** For hundreds of small folders: in memory where the system has such a place. */
  quickFolder(): string {
    const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'spool-'));
    this.folders.push(folder);
    return folder;
  }

  async open(folder: string, options: Partial<SpoolOptions> = {}): Promise<Spool> {
    const spool = await Spool.open({
      folder,
      now: () => 1_800_000_000_000,
      onAlarm: (alarm) => this.alarms.push(alarm),
      ballastBytes: 0,
      ...options,
    });
    this.spools.push(spool);
    return spool;
  }

  get kinds(): string[] {
    return this.alarms.map((alarm) => alarm.kind);
  }

  async cleanUp(): Promise<void> {
    for (const spool of this.spools) await spool.close().catch(() => undefined);
    for (const folder of this.folders) rmSync(folder, { recursive: true, force: true });
  }
}

/** Resolves when everything appended until now is written; rejects with the waiter's error. */
export function written(spool: Spool): Promise<void> {
  return new Promise((resolve, reject) => {
    spool.written({ spooled: (error) => (error ? reject(error) : resolve()) });
  });
}

export async function readAll(spool: Spool): Promise<{ type: number; id: string; payload: string }[]> {
  const { records } = await spool.read(undefined, EVERYTHING);
  return records.map(({ type, id, payload }) => ({ type, id, payload }));
}

export function segmentNames(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.endsWith('.segment')).sort();
}

/** Polls until the condition holds; fails after the deadline with its name. */
export async function eventually(what: string, condition: () => boolean | Promise<boolean>, deadlineMs = 10_000): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** The real file operations, with some replaced. */
export function filesWith(replaced: Partial<SpoolFiles>): SpoolFiles {
  return { ...nodeFiles, ...replaced };
}

export function diskError(code: string): Error {
  return Object.assign(new Error(`${code}: a fault of the test`), { code });
}

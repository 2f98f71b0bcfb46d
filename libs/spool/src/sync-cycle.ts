import type { GroupBuffer, WaitEntry } from './group-buffer.js';
import type { Segment } from './segment.js';
import type { SegmentStore } from './segment-store.js';
import type { SpoolFiles } from './spool-files.js';

export interface SyncHost {
  folder: string;
  files: SpoolFiles;
  store: SegmentStore;
  buffer: GroupBuffer;
  intervalMs: number;
  /** How long a sync took that succeeded, milliseconds. */
  measured(durationMs: number): void;
  /** Those who wait for the sync that begins now. */
  takeWaiters(): WaitEntry[];
  /** Segments that may be deleted once all that is written now is durable. */
  deletable(): Segment[];
  /** `all`: nothing was left unwritten when the sync began. */
  synced(waiters: WaitEntry[], all: boolean): void;
  failed(error: unknown, waiters: WaitEntry[]): void;
  /** New segments may be read from now on. */
  listed(): void;
  deleted(): void;
  deleteFailed(error: unknown): void;
}

/** fdatasync for everything written in the last few milliseconds at once, in the thread pool, one at a time. */
export class SyncCycle {
  private readonly host: SyncHost;
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private stopped = false;
  /** Somebody asked while a cycle ran: its waiters came too late for that one. */
  private askedAgain = false;

  constructor(host: SyncHost) {
    this.host = host;
  }

  /** Something was written, or can be deleted: a sync follows within the interval. */
  poke(): void {
    if (this.running) this.askedAgain = true;
    if (this.timer !== undefined || this.running || this.stopped) return;
    this.timer = setTimeout(() => void this.run(), this.host.intervalMs);
  }

  /** One cycle, behind the running one. */
  async run(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    while (this.running) await this.running;
    this.running = this.cycle();
    await this.running;
    this.running = undefined;
    if (this.host.store.isDirty || this.askedAgain) {
      this.askedAgain = false;
      this.poke();
    }
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private async cycle(): Promise<void> {
    const { host } = this;
    const targets = host.store.takeDirty();
    host.buffer.beginSync();
    const all = !host.buffer.hasUnwritten;
    const waiters = host.takeWaiters();
    const deletable = host.deletable();
    const startedAtMs = performance.now();
    try {
      for (const segment of targets) await this.syncSegment(segment);
      await this.listSegments();
    } catch (error) {
      host.store.abandon(targets);
      host.failed(error, waiters);
      return;
    }
    if (targets.length > 0) host.measured(performance.now() - startedAtMs);
    host.buffer.commitSync();
    host.store.closeFinished();
    host.synced(waiters, all);
    if (deletable.length === 0) return;
    try {
      host.store.delete(deletable);
      host.deleted();
    } catch (error) {
      host.deleteFailed(error);
    }
  }

  private syncSegment(segment: Segment): Promise<void> {
    if (segment.descriptor === undefined) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.host.files.fdatasync(segment.descriptor!, (error) => (error ? reject(error) : resolve()));
    });
  }

  private async listSegments(): Promise<void> {
    const fresh = this.host.store.segments.filter((segment) => !segment.listed);
    if (fresh.length === 0) return;
    await this.host.files.syncFolder(this.host.folder);
    for (const segment of fresh) segment.listed = true;
    this.host.listed();
  }
}

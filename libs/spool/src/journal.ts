import { SPOOL_RECORD } from '@tokone/events/spool-record';
import type { AlarmListener } from './alarm.js';
import type { Ballast } from './ballast.js';
import type { Backlog } from './backlog.js';
import { GroupBuffer, type SpoolWaiter, type WaitEntry } from './group-buffer.js';
import type { OpenRequests } from './open-requests.js';
import { VOID_RECORD } from './record.js';
import type { Segment } from './segment.js';
import type { SegmentStore, WriteFailure } from './segment-store.js';
import type { SpoolFiles } from './spool-files.js';
import type { SpoolMeter } from './spool-meter.js';
import { SpoolError } from './spool-error.js';
import { SyncCycle } from './sync-cycle.js';

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 5_000;
const CLOSE_ATTEMPTS = 5;
/** With nothing else to write, a record that means nothing finds out whether the disk takes records again. */
const PROBE_ID = '00000000-0000-0000-0000-000000000000';

export interface JournalOptions {
  folder: string;
  files: SpoolFiles;
  seed: number;
  strict: boolean;
  syncIntervalMs: number;
  bufferBytes: number;
  onAlarm: AlarmListener;
  meter: SpoolMeter;
  /** After each write, and when a new segment may be read. */
  onReadable: () => void;
  onDeleted: () => void;
  /** Everything before it has been consumed. */
  released: () => bigint;
}

export interface JournalParts {
  store: SegmentStore;
  requests: OpenRequests;
  ballast: Ballast;
  backlog: Backlog;
}

/**
 * The write side: records are gathered in memory and leave in one write per turn of the event loop. When the disk
 * fails, an OPEN is refused at once and is not written later; everything else waits, in order, and is tried again.
 */
export class Journal {
  private readonly options: JournalOptions;
  private readonly store: SegmentStore;
  private readonly requests: OpenRequests;
  private readonly ballast: Ballast;
  private readonly backlog: Backlog;
  private readonly buffer: GroupBuffer;
  private readonly sync: SyncCycle;
  private armed = false;
  private closed = false;
  /** Why the last write failed; while set, only the retry timer writes. */
  private failure: unknown;
  private syncFailing = false;
  private deleteFailing = false;
  private pauseMs = 0;
  private retryTimer: NodeJS.Timeout | undefined;
  /** Written, and waiting for the sync. Strict mode only. */
  private awaitingSync: WaitEntry[] = [];
  /** Refused requests whose OPEN may stand on disk. */
  private readonly voids: string[] = [];
  /** Set while the record appended last is an OPEN that is not written. */
  private lastOpenId: string | undefined;
  private lastOpenError: SpoolError | undefined;

  constructor(options: JournalOptions, parts: JournalParts) {
    this.options = options;
    this.store = parts.store;
    this.requests = parts.requests;
    this.ballast = parts.ballast;
    this.backlog = parts.backlog;
    this.buffer = new GroupBuffer(options.seed, options.bufferBytes);
    this.sync = new SyncCycle({
      folder: options.folder,
      files: options.files,
      store: this.store,
      buffer: this.buffer,
      intervalMs: options.syncIntervalMs,
      measured: (durationMs) => options.meter.synced(durationMs),
      takeWaiters: () => this.awaitingSync.splice(0),
      deletable: () => this.deletable(),
      synced: (waiters, all) => this.onSynced(waiters, all),
      failed: (error, waiters) => this.onSyncFailed(error, waiters),
      listed: options.onReadable,
      deleted: options.onDeleted,
      deleteFailed: (error) => this.onDeleteFailed(error),
    });
  }

  /** True while the disk and the memory can take what a new request will write. */
  get healthy(): boolean {
    return !this.closed && this.failure === undefined && !this.syncFailing && !this.buffer.crowded;
  }

  append(type: number, id: string, payload: string): void {
    if (this.closed) throw new SpoolError('closed', 'The spool is closed.');
    const opens = type === SPOOL_RECORD.open;
    if (opens && this.failure !== undefined) throw this.refusal();
    this.buffer.append(type, id, payload);
    this.requests.note({ type, id, payload }, this.store.currentNumber);
    this.backlog.append(type);
    this.lastOpenId = opens ? id : undefined;
    this.lastOpenError = undefined;
    this.arm();
  }

  written(waiter: SpoolWaiter): void {
    if (this.closed || this.lastOpenError) {
      const error = this.lastOpenError ?? new SpoolError('closed', 'The spool is closed.');
      setImmediate(() => waiter.spooled(error));
      return;
    }
    this.buffer.current.waiters.push({ waiter, openId: this.lastOpenId });
    this.arm();
  }

  /** Finished segments may go, once what is written now is durable. */
  collect(): void {
    if (this.deletable().length > 0) this.sync.poke();
  }

  /** Rejects with what could not be made durable; the descriptors are closed in any case. */
  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.retryTimer);
    for (let attempt = 0; attempt < CLOSE_ATTEMPTS && !(await this.settle()); attempt++) {
      await new Promise((resolve) => setTimeout(resolve, FIRST_PAUSE_MS * 2 ** attempt));
    }
    clearTimeout(this.retryTimer);
    this.sync.stop();
    this.store.close();
    const left = [...this.buffer.chunks.flatMap((chunk) => chunk.waiters.splice(0)), ...this.awaitingSync.splice(0)];
    runWaiters(left, new SpoolError('closed', 'The spool was closed before the disk took this record.'));
    if (!this.isSettled) throw this.refusal();
  }

  private async settle(): Promise<boolean> {
    this.writePending();
    await this.sync.run();
    return this.isSettled;
  }

  private get isSettled(): boolean {
    return this.failure === undefined && !this.syncFailing && !this.store.isDirty && !this.buffer.hasUnwritten;
  }

  private arm(): void {
    if (this.armed) return;
    this.armed = true;
    setImmediate(() => this.flush());
  }

  private flush(): void {
    this.armed = false;
    if (this.closed || this.failure !== undefined) return;
    this.writePending();
  }

  private writePending(): void {
    this.appendVoids();
    if (this.failure !== undefined && !this.closed && !this.buffer.hasUnwritten) this.buffer.append(VOID_RECORD, PROBE_ID, '');
    const ready: WaitEntry[] = [];
    let wrote = false;
    try {
      for (const chunk of this.buffer.chunks) {
        if (chunk.written < chunk.end) {
          this.store.write(chunk.bytes, chunk.written, chunk.end);
          chunk.written = chunk.end;
          chunk.acknowledged = Math.max(chunk.acknowledged, chunk.end);
          wrote = true;
        }
        if (chunk.waiters.length > 0) ready.push(...chunk.waiters.splice(0));
      }
      this.lastOpenId = undefined;
      this.onWriteSucceeded();
    } catch (error) {
      this.onWriteFailed(error as WriteFailure);
    }
    const waitsForSync = this.options.strict && ready.length > 0;
    if (wrote || waitsForSync) this.sync.poke();
    if (waitsForSync) this.awaitingSync.push(...ready);
    else runWaiters(ready);
    if (wrote) this.options.onReadable();
  }

  private appendVoids(): void {
    try {
      for (let id = this.voids[0]; id !== undefined; id = this.voids[0]) {
        this.buffer.append(VOID_RECORD, id, '');
        this.voids.shift();
      }
    } catch {
      // No memory for it yet: it stays in line for the next attempt.
    }
  }

  private onWriteSucceeded(): void {
    if (this.failure === undefined) return;
    this.failure = undefined;
    this.options.onAlarm({ kind: 'write_resumed', message: 'The spool can write again.' });
  }

  private onWriteFailed(failure: WriteFailure): void {
    this.options.meter.failed('write');
    const first = this.failure === undefined;
    this.failure = failure.cause ?? failure;
    if (first) {
      const message = `The disk of the spool refuses writes (${failure.message}); no request is admitted until it takes them.`;
      this.options.onAlarm({ kind: 'write_failed', message, cause: this.failure });
      this.ballast.free();
    }
    this.scheduleRetry();
    this.refuseOpens(failure.torn);
  }

  /** Nobody may be served on an OPEN that is not in the log, and none may turn up in it later. */
  private refuseOpens(torn: boolean): void {
    const refused: WaitEntry[] = [];
    for (const chunk of this.buffer.chunks) {
      for (const id of chunk.dropOpens()) {
        this.requests.close(id);
        if (torn) this.voids.push(id);
      }
      refused.push(...takeOpens(chunk.waiters));
    }
    for (const entry of takeOpens(this.awaitingSync)) {
      this.requests.close(entry.openId!);
      this.voids.push(entry.openId!);
      refused.push(entry);
    }
    const error = this.refusal();
    if (this.lastOpenId !== undefined) this.lastOpenError = error;
    this.lastOpenId = undefined;
    runWaiters(refused, error);
  }

  private scheduleRetry(): void {
    if (this.closed) return;
    clearTimeout(this.retryTimer);
    this.retryTimer = setTimeout(() => this.writePending(), this.pauseMs);
    this.pauseMs = Math.min(LONGEST_PAUSE_MS, Math.max(FIRST_PAUSE_MS, this.pauseMs * 2));
  }

  private onSynced(waiters: WaitEntry[], all: boolean): void {
    if (all && this.failure === undefined) {
      this.syncFailing = false;
      this.pauseMs = 0;
    }
    runWaiters(waiters);
  }

  /** A failed fdatasync is final: the kernel may drop the pages and call the next one good. */
  private onSyncFailed(error: unknown, waiters: WaitEntry[]): void {
    this.options.meter.failed('sync');
    this.awaitingSync.unshift(...waiters);
    this.store.seal();
    this.buffer.rewind();
    if (!this.syncFailing) {
      const message = 'An fdatasync of the spool failed; what it may have lost is written again to a new segment.';
      this.options.onAlarm({ kind: 'sync_failed', message, cause: error });
    }
    const again = this.syncFailing;
    this.syncFailing = true;
    if (!again && this.failure === undefined) {
      this.writePending();
      return;
    }
    this.failure ??= error;
    this.scheduleRetry();
    this.refuseOpens(false);
  }

  private onDeleteFailed(error: unknown): void {
    this.options.meter.failed('delete');
    if (this.deleteFailing) return;
    this.deleteFailing = true;
    const message = 'A consumed segment of the spool cannot be deleted; it is tried again with every sync.';
    this.options.onAlarm({ kind: 'write_failed', message, cause: error });
  }

  private deletable(): Segment[] {
    if (this.failure !== undefined || this.buffer.hasUnwritten) return [];
    return this.store.finishedBefore(this.options.released(), this.requests.firstPinned);
  }

  private refusal(): SpoolError {
    return new SpoolError('failed', 'The disk of the spool refuses writes.', this.failure);
  }
}

function takeOpens(entries: WaitEntry[]): WaitEntry[] {
  const opens = entries.filter((entry) => entry.openId !== undefined);
  if (opens.length > 0) entries.splice(0, entries.length, ...entries.filter((entry) => entry.openId === undefined));
  return opens;
}

/** One waiter that throws must not keep the others from hearing. */
function runWaiters(entries: WaitEntry[], error?: Error): void {
  for (const { waiter } of entries) {
    try {
      waiter.spooled(error);
    } catch (thrown) {
      queueMicrotask(() => {
        throw thrown;
      });
    }
  }
}

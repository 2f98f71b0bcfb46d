import { mkdir } from 'node:fs/promises';
import { SPOOL_RECORD } from '@tokone/events/spool-record';
import type { AlarmListener } from './alarm.js';
import type { Unacknowledged } from './backlog.js';
import { Ballast } from './ballast.js';
import { FolderLock } from './folder-lock.js';
import type { SpoolWaiter } from './group-buffer.js';
import { Journal } from './journal.js';
import { packPosition } from './position.js';
import { CARRIED_OPEN_RECORD, VOID_RECORD, checksumSeed } from './record.js';
import { recoverSpool, type Orphan, type RecoveredSpool } from './recovery.js';
import { SegmentStore } from './segment-store.js';
import { nodeFiles, type SpoolFiles } from './spool-files.js';
import { noSpoolMeter, type SpoolMeter } from './spool-meter.js';
import { SpoolReader, type ReadLimits, type SpoolPage } from './spool-reader.js';

const MIB = 1_048_576;
const FIRST_BALLAST_PAUSE_MS = 100;
const LONGEST_BALLAST_PAUSE_MS = 5_000;
/** So many consumed segments are kept for a request that does not end; then its OPEN is written again. */
const CARRY_AFTER_SEGMENTS = 4;

export interface SpoolOptions {
  /** Of this spool alone; made when it is missing. */
  folder: string;
  /** Milliseconds since 1970. */
  now: () => number;
  onAlarm: AlarmListener;
  /** A new segment begins when a write would pass this size. Default: 64 MiB, or less for a low high water. */
  segmentBytes?: number;
  syncIntervalMs?: number;
  /** Waiters run only after the fdatasync: a power loss takes nothing that was acknowledged. */
  strict?: boolean;
  /** Above it no request is admitted. */
  highWaterBytes?: number;
  /** Reserve for closing running requests on a full disk; 0 for none. */
  ballastBytes?: number;
  /** Memory for records that cannot be written or are not synced, at least 2 MiB. */
  bufferBytes?: number;
  files?: SpoolFiles;
  /** Default: nobody counts. */
  meter?: SpoolMeter;
}

type FullOptions = Required<SpoolOptions>;

/**
 * The gateway's write-ahead log. A record whose waiter ran survives the death of the process; after the next
 * fdatasync, and in strict mode always, that of the machine too. Payloads mean nothing to it; the record types do:
 * an OPEN without a CLOSE is an orphan after a restart and keeps its segments until then.
 */
export class Spool {
  /** Of the folder's log, made with it: positions of another log mean nothing in this one. */
  readonly id: string;
  /** Requests that a former process opened and did not close, oldest first. Each needs a CLOSE, or to be taken back. */
  readonly orphans: readonly Orphan[];
  private readonly options: FullOptions;
  private readonly lock: FolderLock;
  private readonly recovered: RecoveredSpool;
  private readonly store: SegmentStore;
  private readonly journal: Journal;
  private readonly reader: SpoolReader;
  private readonly ballast: Ballast;
  private readonly listeners = new Set<() => void>();
  private releasedTo = 0n;
  private aboveHighWater = false;
  private ballastTimer: NodeJS.Timeout | undefined;
  private ballastPauseMs = FIRST_BALLAST_PAUSE_MS;
  private restoring: Promise<void> | undefined;
  private closing: Promise<void> | undefined;

  /** Rejects with a SpoolError `locked` while another process holds the folder, `foreign` when it is not one log. */
  static async open(options: SpoolOptions): Promise<Spool> {
    const full = withDefaults(options);
    await mkdir(full.folder, { recursive: true, mode: 0o700 });
    const lock = FolderLock.take(full.folder);
    try {
      const recovered = await recoverSpool(full.folder, full.onAlarm);
      // A former process may have died before it made its last segment's name durable.
      await full.files.syncFolder(full.folder);
      const spool = new Spool(full, { lock, recovered });
      await spool.restoreBallast();
      spool.watchHighWater();
      return spool;
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  private constructor(options: FullOptions, held: { lock: FolderLock; recovered: RecoveredSpool }) {
    const { recovered } = held;
    const seed = checksumSeed(recovered.spoolId);
    this.options = options;
    this.lock = held.lock;
    this.recovered = recovered;
    this.id = recovered.spoolId;
    this.orphans = recovered.orphans;
    this.store = new SegmentStore({ ...options, spoolId: recovered.spoolId }, recovered.segments);
    this.ballast = new Ballast(options.folder, options.ballastBytes, options.files);
    this.reader = new SpoolReader(this.store, seed, options.onAlarm);
    this.journal = new Journal(
      {
        ...options,
        seed,
        onReadable: () => this.onReadable(),
        onDeleted: () => this.watchHighWater(),
        released: () => this.releasedTo,
      },
      { store: this.store, requests: recovered.requests, ballast: this.ballast, backlog: recovered.backlog },
    );
  }

  /**
   * Takes a record into the group that is written in this turn of the event loop. `id` is a UUID in lower case,
   * `payload` at most 64 KiB of UTF-8. Throws a SpoolError: `failed` for an OPEN while the disk refuses writes, `full`
   * when the memory for waiting records is used up, `invalid`, `closed`.
   */
  append(type: number, id: string, payload: string): void {
    this.journal.append(type, id, payload);
  }

  /** Takes back the OPEN of a request that cannot be closed in order: it is no orphan any more, and no consumer hears of it. */
  takeBack(id: string): void {
    this.journal.append(VOID_RECORD, id, '');
  }

  /**
   * The waiter runs once, in order, when everything appended so far is written (in strict mode: synced). It belongs to
   * the record appended last: when that is an OPEN and the disk fails, it runs at once with the error, and the OPEN is
   * not in the log. Other records wait until the disk takes them; only `close` ends their wait with an error.
   */
  written(waiter: SpoolWaiter): void {
    this.journal.written(waiter);
  }

  /** False: no durable record, no admission. Running requests may go on to append. */
  get accepting(): boolean {
    return this.journal.healthy && this.ballast.ready && !this.aboveHighWater;
  }

  /** Nothing before it is kept; 0 while nothing was ever deleted. */
  get begin(): bigint {
    const first = this.store.segments[0]?.number ?? 1;
    return first === 1 ? 0n : packPosition(first, 0);
  }

  /** The position behind the last record that was written. */
  get end(): bigint {
    return this.store.end;
  }

  /** Above so many bytes of segments no request is admitted. */
  get highWaterBytes(): number {
    return this.options.highWaterBytes;
  }

  /** Bytes of all segments on disk. */
  get totalBytes(): number {
    return this.store.totalBytes;
  }

  /** Requests with an OPEN and without a CLOSE, orphans included. */
  get openRequests(): number {
    return this.recovered.requests.size;
  }

  /** Records of usage, CLOSE and REFUSED, that no consumer has released. */
  get unacknowledged(): Unacknowledged {
    return this.recovered.backlog.unacknowledged;
  }

  /** Their ids, so many at most. */
  openIds(most: number): string[] {
    return this.recovered.requests.ids(most);
  }

  /** Records from `from` on, undefined = from the oldest that is kept. Never beyond what was written. */
  read(from: bigint | undefined, limits: ReadLimits): Promise<SpoolPage> {
    return this.reader.read(from, limits);
  }

  /** Calls the listener when there may be more to read. Returns what takes it away again. */
  onWritten(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /**
   * The consumer will never again ask for anything before `position`. Segments before it are deleted, oldest first,
   * up to the first that an open request needs.
   */
  release(position: bigint): void {
    const reached = position < this.end ? position : this.end;
    if (reached <= this.releasedTo) return;
    this.releasedTo = reached;
    this.recovered.backlog.release(reached);
    this.carryOpenRequests();
    this.journal.collect();
  }

  /** Writes and syncs everything, then gives the folder free. Rejects when the disk did not take all of it. */
  close(): Promise<void> {
    return (this.closing ??= this.closeParts());
  }

  private async closeParts(): Promise<void> {
    clearTimeout(this.ballastTimer);
    try {
      await this.journal.close();
    } finally {
      clearTimeout(this.ballastTimer);
      await this.restoring;
      await this.reader.close();
      this.lock.release();
    }
  }

  private onReadable(): void {
    this.recovered.backlog.written(this.end, this.options.now());
    this.watchHighWater();
    if (!this.ballast.ready) this.restoreBallastLater();
    for (const listener of this.listeners) listener();
  }

  private watchHighWater(): void {
    const above = this.store.totalBytes > this.options.highWaterBytes;
    if (above === this.aboveHighWater) return;
    this.aboveHighWater = above;
    const state = `The spool holds ${this.store.totalBytes} bytes, its high water is ${this.options.highWaterBytes}`;
    if (above) this.options.onAlarm({ kind: 'high_water', message: `${state}; no request is admitted.` });
    else this.options.onAlarm({ kind: 'below_high_water', message: `${state}; requests are admitted again.` });
  }

  private restoreBallastLater(): void {
    if (this.ballastTimer !== undefined || this.closing) return;
    this.ballastTimer = setTimeout(() => {
      this.ballastTimer = undefined;
      this.restoring = this.restoreBallast();
    }, this.ballastPauseMs);
    this.ballastPauseMs = Math.min(LONGEST_BALLAST_PAUSE_MS, this.ballastPauseMs * 2);
  }

  private async restoreBallast(): Promise<void> {
    const again = this.ballastPauseMs > FIRST_BALLAST_PAUSE_MS;
    if (await this.ballast.restore()) {
      this.ballastPauseMs = FIRST_BALLAST_PAUSE_MS;
      if (again) this.options.onAlarm({ kind: 'ballast_restored', message: 'The spool has its reserve of disk space again.' });
      return;
    }
    if (!again) {
      const message = `The disk has no room for the spool's reserve of ${this.options.ballastBytes} bytes; no request is admitted.`;
      this.options.onAlarm({ kind: 'ballast_missing', message });
    }
    this.restoreBallastLater();
  }

  /** A request of many hours must not hold back the deletion of everything that came after its OPEN. */
  private carryOpenRequests(): void {
    if (!this.journal.healthy) return;
    const consumed = this.store.finishedBefore(this.releasedTo, Infinity);
    if (consumed.length < CARRY_AFTER_SEGMENTS) return;
    for (const { id, open, extend, progress } of this.recovered.requests.before(consumed.at(-1)!.number + 1)) {
      this.journal.append(CARRIED_OPEN_RECORD, id, open);
      if (extend !== undefined) this.journal.append(SPOOL_RECORD.extend, id, extend);
      if (progress !== undefined) this.journal.append(SPOOL_RECORD.progress, id, progress);
    }
  }
}

function withDefaults(options: SpoolOptions): FullOptions {
  const highWaterBytes = options.highWaterBytes ?? 2048 * MIB;
  return {
    ...options,
    // The last segment stays, however much is released, and one request may keep some more: together far below the high water.
    segmentBytes: options.segmentBytes ?? Math.min(64 * MIB, Math.floor(highWaterBytes / (2 * CARRY_AFTER_SEGMENTS))),
    syncIntervalMs: options.syncIntervalMs ?? 5,
    strict: options.strict ?? false,
    highWaterBytes,
    ballastBytes: options.ballastBytes ?? 16 * MIB,
    bufferBytes: options.bufferBytes ?? 64 * MIB,
    files: options.files ?? nodeFiles,
    meter: options.meter ?? noSpoolMeter,
  };
}

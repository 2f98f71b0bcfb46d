import { packPosition, segmentOf } from './position.js';
import { HEADER_BYTES, segmentPath, writeHeader, type Segment } from './segment.js';
import type { SpoolFiles } from './spool-files.js';

export interface SegmentStoreOptions {
  folder: string;
  spoolId: string;
  segmentBytes: number;
  files: SpoolFiles;
  now: () => number;
}

const FULL_CODES = new Set(['ENOSPC', 'EDQUOT']);

/** A write did not happen. `torn`: some of its bytes may still stand on disk, behind the end of a sealed segment. */
export class WriteFailure extends Error {
  readonly torn: boolean;

  constructor(cause: unknown, torn: boolean) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.torn = torn;
  }
}

/** The segment files of one spool, in order. Only the active one is written to; none of an earlier start ever is. */
export class SegmentStore {
  readonly segments: Segment[];
  /** All segments on disk. */
  totalBytes = 0;
  nextNumber: number;
  /** Undefined until the first write after a start, a full segment or a failure: the next write begins a new one. */
  private active: Segment | undefined;
  private readonly options: SegmentStoreOptions;

  constructor(options: SegmentStoreOptions, segments: Segment[]) {
    this.options = options;
    this.segments = segments;
    this.nextNumber = (segments.at(-1)?.number ?? 0) + 1;
    for (const segment of segments) this.totalBytes += segment.bytes;
  }

  /** The position behind the last record that was written. A segment that a kill left without one holds no position that a reader can come to. */
  get end(): bigint {
    const last = this.segments.findLast((segment) => segment.bytes > HEADER_BYTES);
    return last ? packPosition(last.number, last.bytes) : 0n;
  }

  /** No record that is appended from now on goes to an earlier segment. */
  get currentNumber(): number {
    return this.active?.number ?? this.nextNumber;
  }

  /** Writes whole records at the end of the log, all or nothing. Throws WriteFailure. */
  write(bytes: Uint8Array, from: number, to: number): void {
    const segment = this.segmentFor(to - from);
    try {
      this.writeAll(segment, { bytes, from, to });
    } catch (error) {
      throw new WriteFailure(error, !this.takeBack(segment, error));
    }
    segment.bytes += to - from;
    segment.dirty = true;
    this.totalBytes += to - from;
  }

  /** The active segment takes no further record. */
  seal(): void {
    this.active = undefined;
  }

  isSealed(segment: Segment): boolean {
    return segment !== this.active;
  }

  /** The segments with bytes that no sync covers; they count as clean from now on. */
  takeDirty(): Segment[] {
    const dirty = this.segments.filter((segment) => segment.dirty);
    for (const segment of dirty) segment.dirty = false;
    return dirty;
  }

  get isDirty(): boolean {
    return this.segments.some((segment) => segment.dirty || !segment.listed);
  }

  /** Closes what is sealed and synced. */
  closeFinished(): void {
    for (const segment of this.segments) if (!segment.dirty && this.isSealed(segment)) this.closeDescriptor(segment);
  }

  /** After a failed sync no descriptor of `segments` can be trusted again. */
  abandon(segments: Segment[]): void {
    for (const segment of segments) {
      if (segment === this.active) this.seal();
      segment.dirty = false;
      this.closeDescriptor(segment);
    }
  }

  /**
   * The oldest segments before the one that `position` stands in and before segment number `firstNeeded`; never the last one.
   * A consumer that stands at the very end of one still needs it: a cursor that is before all that is kept would look as if
   * something had been lost.
   */
  finishedBefore(position: bigint, firstNeeded: number): Segment[] {
    const finished: Segment[] = [];
    for (const segment of this.segments.slice(0, -1)) {
      const over = segment.number < segmentOf(position) && segment.number < firstNeeded;
      if (!over || segment.dirty || !this.isSealed(segment)) break;
      finished.push(segment);
    }
    return finished;
  }

  delete(finished: Segment[]): void {
    for (const segment of finished) {
      if (this.segments[0] !== segment) return;
      this.closeDescriptor(segment);
      this.unlink(segment.path);
      this.segments.shift();
      this.totalBytes -= segment.bytes;
    }
  }

  close(): void {
    this.seal();
    for (const segment of this.segments) this.closeDescriptor(segment);
  }

  private unlink(path: string): void {
    try {
      this.options.files.unlinkSync(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }

  private segmentFor(bytes: number): Segment {
    const active = this.active;
    const full = active && active.bytes > HEADER_BYTES && active.bytes + bytes > this.options.segmentBytes;
    if (active && !full) return active;
    this.seal();
    return (this.active = this.begin());
  }

  private begin(): Segment {
    const { folder, spoolId, files, now } = this.options;
    // A number is used once, even when its file could not be made.
    const number = this.nextNumber++;
    const path = segmentPath(folder, spoolId, number);
    let descriptor: number | undefined;
    try {
      descriptor = files.openSync(path, 'wx', 0o600);
      const segment: Segment = { number, path, bytes: 0, descriptor, dirty: true, listed: false };
      const header = writeHeader(number, now());
      this.writeAll(segment, { bytes: header, from: 0, to: header.length });
      segment.bytes = HEADER_BYTES;
      this.segments.push(segment);
      this.totalBytes += HEADER_BYTES;
      return segment;
    } catch (error) {
      if (descriptor !== undefined) this.discard(descriptor, path);
      throw new WriteFailure(error, false);
    }
  }

  private writeAll(segment: Segment, part: { bytes: Uint8Array; from: number; to: number }): void {
    for (let at = part.from; at < part.to; ) {
      const position = segment.bytes + at - part.from;
      const written = this.options.files.writeSync(segment.descriptor!, part.bytes, at, part.to - at, position);
      if (written <= 0) throw new Error('The disk took no bytes.');
      at += written;
    }
  }

  /** True when nothing of a failed write is left on disk. */
  private takeBack(segment: Segment, error: unknown): boolean {
    if (segment.bytes === HEADER_BYTES) {
      // It was begun for this very write.
      this.seal();
      this.segments.pop();
      this.totalBytes -= segment.bytes;
      return this.discard(segment.descriptor!, segment.path);
    }
    // A full disk may have room again; anything else may be a fault of this file.
    if (!FULL_CODES.has((error as NodeJS.ErrnoException).code ?? '')) this.seal();
    try {
      this.options.files.ftruncateSync(segment.descriptor!, segment.bytes);
      return true;
    } catch {
      this.seal();
      return false;
    }
  }

  /** True when the file is gone. */
  private discard(descriptor: number, path: string): boolean {
    try {
      this.options.files.closeSync(descriptor);
    } catch {
      // The descriptor is gone in any case.
    }
    try {
      this.unlink(path);
      return true;
    } catch {
      return false;
    }
  }

  private closeDescriptor(segment: Segment): void {
    const descriptor = segment.descriptor;
    if (descriptor === undefined) return;
    segment.descriptor = undefined;
    try {
      this.options.files.closeSync(descriptor);
    } catch {
      // Its bytes are synced, or were written again elsewhere.
    }
  }
}

import { SPOOL_RECORD } from '@tokone/events/spool-record';
import { FRAME_BYTES, MAX_PAYLOAD_BYTES, PREFIX_BYTES, readUint32, recordChecksum, RecordReader, writeUint32 } from './record.js';
import { SpoolError } from './spool-error.js';
import { writeUuid } from './uuid-bytes.js';

const CHUNK_BYTES = 1_048_576;

/** Something that waits for its record to be written. `error` means: it is not in the log and never will be. */
export interface SpoolWaiter {
  spooled(error?: Error): void;
}

/** `openId` is set when the waiter's own record is an OPEN: it is refused, not kept, when the disk fails. */
export interface WaitEntry {
  waiter: SpoolWaiter;
  openId: string | undefined;
}

/**
 * Encoded records in memory, 0 ≤ synced ≤ written ≤ end. Bytes stay until they are synced, because after a failed
 * fdatasync nothing else still knows them for certain.
 */
export class Chunk {
  readonly bytes = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  synced = 0;
  /** `written` as it was when the running sync began. */
  syncing = 0;
  written = 0;
  /** The highest that `written` has been: an OPEN below it may have been acknowledged. */
  acknowledged = 0;
  end = 0;
  waiters: WaitEntry[] = [];
  private readonly seed: number;
  private readonly reader: RecordReader;

  constructor(seed: number) {
    this.seed = seed;
    this.reader = new RecordReader(this.bytes, seed);
  }

  /** False when there is no room. */
  append(type: number, id: string, payload: string): boolean {
    const start = this.end;
    const payloadStart = start + FRAME_BYTES + PREFIX_BYTES;
    // A UTF-16 unit takes three bytes of UTF-8 at most.
    if (payloadStart + payload.length * 3 > CHUNK_BYTES) return false;
    const payloadBytes = this.bytes.write(payload, payloadStart, 'utf8');
    if (payloadBytes > MAX_PAYLOAD_BYTES) throw tooLarge();
    const bodyStart = start + FRAME_BYTES;
    this.bytes[bodyStart] = type;
    if (!writeUuid(id, this.bytes, bodyStart + 1)) {
      throw new SpoolError('invalid', 'The id of a spool record must be a UUID in lower case.');
    }
    const end = payloadStart + payloadBytes;
    writeUint32(this.bytes, start, end - bodyStart);
    writeUint32(this.bytes, start + 4, recordChecksum(this.bytes.subarray(bodyStart, end), this.seed));
    this.end = end;
    return true;
  }

  /** Takes out every OPEN that nobody was told of, keeps the order of the rest; returns the ids taken out. */
  dropOpens(): string[] {
    const dropped: string[] = [];
    let kept = this.acknowledged;
    for (let at = kept; at < this.end; ) {
      const size = FRAME_BYTES + readUint32(this.bytes, at);
      if (this.reader.typeAt(at) === SPOOL_RECORD.open) {
        dropped.push(this.reader.idAt(at));
      } else {
        this.bytes.copyWithin(kept, at, at + size);
        kept += size;
      }
      at += size;
    }
    this.end = kept;
    return dropped;
  }

  reset(): void {
    this.synced = this.syncing = this.written = this.acknowledged = this.end = 0;
  }
}

/** The records that are not yet synced, in order, in chunks of 1 MiB that are used again. */
export class GroupBuffer {
  /** Oldest first; the last one takes appends. */
  readonly chunks: Chunk[];
  private spare: Chunk | undefined;
  private readonly seed: number;
  private readonly maxChunks: number;

  constructor(seed: number, maxBytes: number) {
    this.seed = seed;
    this.maxChunks = Math.max(2, Math.floor(maxBytes / CHUNK_BYTES));
    this.chunks = [new Chunk(seed)];
  }

  /** The chunk that took the record. Throws `full` beyond the bound, `invalid` for what is no record. */
  append(type: number, id: string, payload: string): Chunk {
    const current = this.current;
    if (current.append(type, id, payload)) return current;
    if (payload.length > MAX_PAYLOAD_BYTES) throw tooLarge();
    if (this.chunks.length >= this.maxChunks) {
      throw new SpoolError('full', 'The spool cannot write and its memory for waiting records is used up.');
    }
    const next = this.spare ?? new Chunk(this.seed);
    this.spare = undefined;
    this.chunks.push(next);
    next.append(type, id, payload);
    return next;
  }

  get current(): Chunk {
    return this.chunks.at(-1)!;
  }

  get crowded(): boolean {
    return this.chunks.length * 2 > this.maxChunks;
  }

  get hasUnwritten(): boolean {
    for (const chunk of this.chunks) if (chunk.written < chunk.end) return true;
    return false;
  }

  beginSync(): void {
    for (const chunk of this.chunks) chunk.syncing = chunk.written;
  }

  commitSync(): void {
    for (const chunk of this.chunks) chunk.synced = Math.max(chunk.synced, chunk.syncing);
    while (this.chunks.length > 1 && isDone(this.chunks[0]!)) {
      const done = this.chunks.shift()!;
      done.reset();
      this.spare ??= done;
    }
    if (isDone(this.current)) this.current.reset();
  }

  /** After a failed sync: everything that is not known to be durable counts as not written. */
  rewind(): void {
    for (const chunk of this.chunks) chunk.written = chunk.syncing = chunk.synced;
  }
}

function isDone(chunk: Chunk): boolean {
  return chunk.synced === chunk.end && chunk.waiters.length === 0;
}

function tooLarge(): SpoolError {
  return new SpoolError('invalid', `The payload of a spool record is at most ${MAX_PAYLOAD_BYTES} bytes.`);
}

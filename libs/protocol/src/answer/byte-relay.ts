const SMALL_PIECE_BYTES = 1024;
const FIRST_CHUNK_BYTES = 1024;
const LAST_CHUNK_BYTES = 65_536;
const EMPTY = Buffer.alloc(0);

/**
 * Sorts the bytes of each read into released, held and dropped, without copying what is released.
 *
 * One read: `open`, any number of `release` and `drop` with growing offsets, `close`. What was neither released nor
 * dropped is held, and goes out in front of the next bytes released.
 */
export class ByteRelay {
  private ready: Buffer[] = [];
  private readonly held = new HeldBytes();
  private bytes: Buffer = EMPTY;
  private from = 0;
  private released = 0;

  open(bytes: Buffer): void {
    this.bytes = bytes;
    this.from = 0;
    this.released = 0;
  }

  /** Lets everything before `end` (an offset in this read) go, with what earlier reads left held. */
  release(end: number): void {
    if (this.held.byteLength > 0) {
      this.ready.push(...this.held.take());
    }
    this.released = end;
  }

  /** Discards everything not yet released before `end`. */
  drop(end: number): void {
    this.flush();
    this.held.take();
    this.from = end;
    this.released = end;
  }

  close(): void {
    this.flush();
    if (this.released < this.bytes.length) {
      this.held.add(this.slice(this.released, this.bytes.length));
    }
    this.bytes = EMPTY;
    this.from = 0;
    this.released = 0;
  }

  /** Bytes that would be held if the read were closed now. */
  get waitingBytes(): number {
    return this.held.byteLength + this.bytes.length - this.released;
  }

  /** Of these, the bytes before `end` (an offset in this read). */
  waitingBytesBefore(end: number): number {
    return this.held.byteLength + end - this.released;
  }

  takeReady(): Buffer[] {
    if (this.ready.length === 0) {
      return [];
    }
    const taken = this.ready;
    this.ready = [];
    return taken;
  }

  takeHeld(): Buffer[] {
    return this.held.take();
  }

  private flush(): void {
    if (this.released > this.from) {
      this.ready.push(this.slice(this.from, this.released));
      this.from = this.released;
    }
  }

  private slice(start: number, end: number): Buffer {
    return start === 0 && end === this.bytes.length ? this.bytes : this.bytes.subarray(start, end);
  }
}

/**
 * Held bytes in order. Small pieces are joined by copying, because a stream that arrives byte by byte would
 * otherwise cost a Buffer object per byte, and a slice of 20 bytes would keep its whole 64 KiB read alive.
 */
class HeldBytes {
  byteLength = 0;
  private pieces: Buffer[] = [];
  private chunk: Buffer = EMPTY;
  private filledBytes = 0;
  private capacityBytes = FIRST_CHUNK_BYTES;

  add(piece: Buffer): void {
    const first = this.byteLength === 0;
    this.byteLength += piece.length;
    if (first || piece.length >= SMALL_PIECE_BYTES) {
      this.seal();
      this.pieces.push(piece);
      return;
    }
    if (piece.length > this.chunk.length - this.filledBytes) {
      this.seal();
      this.chunk = Buffer.allocUnsafe(this.capacityBytes);
      this.capacityBytes = Math.min(LAST_CHUNK_BYTES, this.capacityBytes * 2);
    }
    piece.copy(this.chunk, this.filledBytes);
    this.filledBytes += piece.length;
  }

  take(): Buffer[] {
    this.seal();
    const taken = this.pieces;
    this.pieces = [];
    this.chunk = EMPTY;
    this.capacityBytes = FIRST_CHUNK_BYTES;
    this.byteLength = 0;
    return taken;
  }

  private seal(): void {
    if (this.filledBytes > 0) {
      this.pieces.push(this.chunk.subarray(0, this.filledBytes));
      this.chunk = this.chunk.subarray(this.filledBytes);
      this.filledBytes = 0;
    }
  }
}

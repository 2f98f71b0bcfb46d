import { open, type FileHandle } from 'node:fs/promises';
import { INCOMPLETE, MAX_RECORD_BYTES, RecordReader } from './record.js';

const BLOCK_BYTES = 262_144;
if (BLOCK_BYTES < MAX_RECORD_BYTES) throw new Error('a block of a scan must hold the largest record');

/** `record`: `reader` and `recordAt` show it. `fill`: call `fill`, then go on. `end`: all before the bound was seen. */
export type ScanStep = 'record' | 'fill' | 'end';

/** Bytes of a segment that are no record. */
export interface Damage {
  from: number;
  to: number;
}

/**
 * Walks the records of one segment in blocks, with one descriptor, from any record's offset. Where no record begins
 * it looks for the next one byte by byte: the checksum decides, so what is found is a record.
 */
export class SegmentScan {
  readonly path: string;
  readonly reader: RecordReader;
  /** Of the next byte to look at; after a `record`, the end of that record. */
  offset: number;
  /** Where the record of the last step begins, within the reader's buffer. */
  recordAt = 0;
  /** Size of the file when it turned out shorter than the bound. */
  private fileEnd = Infinity;
  private readonly block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  private blockStart = 0;
  private blockEnd = 0;
  private damageFrom: number | undefined;
  private handle: FileHandle | undefined;
  private readonly onDamage: (damage: Damage) => void;

  constructor(at: { path: string; offset: number; seed: number }, onDamage: (damage: Damage) => void) {
    this.path = at.path;
    this.offset = at.offset;
    this.blockStart = at.offset;
    this.blockEnd = at.offset;
    this.reader = new RecordReader(this.block, at.seed);
    this.onDamage = onDamage;
  }

  /** `bound`: end of the part of the file that may be read, a record's end or the file's. */
  step(bound: number): ScanStep {
    const last = Math.min(bound, this.fileEnd);
    while (this.offset < last) {
      if (this.offset >= this.blockEnd) return 'fill';
      const at = this.offset - this.blockStart;
      const size = this.reader.sizeAt(at, Math.min(this.blockEnd, last) - this.blockStart);
      if (size > 0) {
        this.reportDamage();
        this.recordAt = at;
        this.offset += size;
        return 'record';
      }
      if (size === INCOMPLETE && this.blockEnd < last) return 'fill';
      this.damageFrom ??= this.offset;
      this.offset++;
    }
    if (this.offset < bound) {
      this.damageFrom ??= this.offset;
      this.offset = bound;
    }
    this.reportDamage();
    return 'end';
  }

  /** Where the record of the last step begins, in the file. */
  get recordOffset(): number {
    return this.blockStart + this.recordAt;
  }

  async fill(bound: number): Promise<void> {
    this.handle ??= await open(this.path, 'r');
    const wanted = Math.min(BLOCK_BYTES, bound - this.offset);
    let held = 0;
    while (held < wanted) {
      const { bytesRead } = await this.handle.read(this.block, held, wanted - held, this.offset + held);
      if (bytesRead === 0) {
        this.fileEnd = this.offset + held;
        break;
      }
      held += bytesRead;
    }
    this.blockStart = this.offset;
    this.blockEnd = this.offset + held;
  }

  async close(): Promise<void> {
    const handle = this.handle;
    this.handle = undefined;
    await handle?.close();
  }

  private reportDamage(): void {
    if (this.damageFrom === undefined) return;
    const from = this.damageFrom;
    this.damageFrom = undefined;
    this.onDamage({ from, to: this.offset });
  }
}

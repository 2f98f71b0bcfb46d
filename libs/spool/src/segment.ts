import { join } from 'node:path';
import { crc32 } from 'node:zlib';

/**
 * A segment file is named `<spool id>-<number>.segment`. Its header, little endian: magic 8 bytes | version u32 |
 * number u32 | created ms f64 | CRC-32 of these u32. Identity and number are read from the name alone, so a damaged
 * header costs no record.
 */
export const HEADER_BYTES = 28;
const MAGIC = Buffer.from('TokOneSp', 'latin1');
const VERSION = 1;
const NAME = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-(\d{8})\.segment$/;

export interface Segment {
  readonly number: number;
  readonly path: string;
  /** Everything before this offset was written in full: what readers may see. */
  bytes: number;
  /** Open while it can be written or is not yet synced. */
  descriptor: number | undefined;
  /** Written to since the last fdatasync began. */
  dirty: boolean;
  /**
   * Its name is durable. Until then nobody may read it: a reader's stored position in a segment that a power loss
   * takes away would hide the records of the next segment of that number.
   */
  listed: boolean;
}

export function segmentPath(folder: string, spoolId: string, number: number): string {
  return join(folder, `${spoolId}-${String(number).padStart(8, '0')}.segment`);
}

export function readSegmentName(name: string): { spoolId: string; number: number } | undefined {
  const match = NAME.exec(name);
  return match ? { spoolId: match[1]!, number: Number(match[2]) } : undefined;
}

export function writeHeader(number: number, createdAtMs: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(header);
  header.writeUInt32LE(VERSION, 8);
  header.writeUInt32LE(number, 12);
  header.writeDoubleLE(createdAtMs, 16);
  header.writeUInt32LE(crc32(header.subarray(0, 24)), 24);
  return header;
}

/** `newer`: a sound header of a version that this program does not know. */
export function judgeHeader(header: Buffer, number: number): 'sound' | 'damaged' | 'newer' {
  const sound =
    header.length >= HEADER_BYTES &&
    header.subarray(0, 8).equals(MAGIC) &&
    header.readUInt32LE(24) === crc32(header.subarray(0, 24)) &&
    header.readUInt32LE(12) === number;
  if (!sound) return 'damaged';
  return header.readUInt32LE(8) === VERSION ? 'sound' : 'newer';
}

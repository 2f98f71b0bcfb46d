import { crc32 } from 'node:zlib';

/**
 * A record on disk, little endian: length u32 | CRC-32 u32 | type u8 | id 16 bytes | payload UTF-8. The length counts
 * what follows the checksum. The checksum starts from the spool's seed and the length, so that bytes which a payload
 * happens to hold, or another spool's bytes, are never taken for a record when reading resumes behind damage.
 */
export const FRAME_BYTES = 8;
export const PREFIX_BYTES = 17;
export const MAX_PAYLOAD_BYTES = 65_536;
export const MAX_RECORD_BYTES = FRAME_BYTES + PREFIX_BYTES + MAX_PAYLOAD_BYTES;

/** Takes back an OPEN: one that may stand on disk although its request was refused, or one that nobody can read. Never leaves this library. */
export const VOID_RECORD = 255;
/** An OPEN written once more, so that the segment of the first one can go. Never leaves this library. */
export const CARRIED_OPEN_RECORD = 254;
export const FIRST_INTERNAL_RECORD = 254;

/** `sizeAt`: the bytes end before the record does. */
export const INCOMPLETE = 0;
/** `sizeAt`: no record begins here. */
export const INVALID = -1;

/** The 32-bit start value of all checksums of one spool. */
export function checksumSeed(spoolId: string): number {
  return crc32(spoolId);
}

export function recordChecksum(body: Uint8Array, seed: number): number {
  return crc32(body, (seed ^ body.length) >>> 0);
}

export function readUint32(bytes: Uint8Array, offset: number): number {
  return (bytes[offset]! | (bytes[offset + 1]! << 8) | (bytes[offset + 2]! << 16) | (bytes[offset + 3]! << 24)) >>> 0;
}

export function writeUint32(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value;
  bytes[offset + 1] = value >>> 8;
  bytes[offset + 2] = value >>> 16;
  bytes[offset + 3] = value >>> 24;
}

/** Reads records out of a buffer whose content may change between calls. */
export class RecordReader {
  private readonly bytes: Buffer;
  private readonly seed: number;

  constructor(bytes: Buffer, seed: number) {
    this.bytes = bytes;
    this.seed = seed;
  }

  /** Size in bytes of the whole, undamaged record at `offset`; else INCOMPLETE or INVALID. */
  sizeAt(offset: number, end: number): number {
    if (end - offset < 4) return INCOMPLETE;
    const length = readUint32(this.bytes, offset);
    if (length < PREFIX_BYTES || length > PREFIX_BYTES + MAX_PAYLOAD_BYTES) return INVALID;
    const start = offset + FRAME_BYTES;
    if (start + length > end) return INCOMPLETE;
    const checksum = recordChecksum(this.bytes.subarray(start, start + length), this.seed);
    return checksum === readUint32(this.bytes, offset + 4) ? FRAME_BYTES + length : INVALID;
  }

  typeAt(offset: number): number {
    return this.bytes[offset + FRAME_BYTES]!;
  }

  idAt(offset: number): string {
    const start = offset + FRAME_BYTES + 1;
    const hex = this.bytes.toString('hex', start, start + 16);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }

  payloadAt(offset: number): string {
    const start = offset + FRAME_BYTES;
    return this.bytes.toString('utf8', start + PREFIX_BYTES, start + readUint32(this.bytes, offset));
  }
}

const OFFSET_BITS = 40n;
const OFFSET_MASK = (1n << OFFSET_BITS) - 1n;

/** A place in the log: segment number and byte offset in one 64-bit number that only grows, also over restarts. */
export function packPosition(segment: number, offset: number): bigint {
  return (BigInt(segment) << OFFSET_BITS) | BigInt(offset);
}

export function segmentOf(position: bigint): number {
  return Number(position >> OFFSET_BITS);
}

export function offsetOf(position: bigint): number {
  return Number(position & OFFSET_MASK);
}

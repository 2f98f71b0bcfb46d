/** A range of ids in the order of UUIDs, which is that of time for UUIDv7: above `after`, up to `upTo`. */
export interface IdRange {
  after: string;
  upTo: string;
}

export const FIRST_ID = '00000000-0000-0000-0000-000000000000';
export const LAST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/** Below every UUIDv7 of this millisecond, and above those of the one before. */
export function firstIdOf(ms: number): string {
  const hex = Math.max(0, Math.min(ms, 0xffff_ffff_ffff)).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}

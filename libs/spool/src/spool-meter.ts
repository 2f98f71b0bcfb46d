/** What a spool tells of its disk, for whoever counts. Neither may throw. */
export interface SpoolMeter {
  /** One sync of everything that was written before it, milliseconds. */
  synced(durationMs: number): void;
  /** The disk refused; also when it is tried again. */
  failed(operation: 'write' | 'sync' | 'delete'): void;
}

/** Tells nobody. */
export const noSpoolMeter: SpoolMeter = { synced() {}, failed() {} };

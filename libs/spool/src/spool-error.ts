/**
 * Why the spool refused. `locked`, `foreign`: at open. `failed`: the disk refuses writes, no new OPEN is taken.
 * `full`: the memory for unwritten records is used up. `invalid`: the caller's record is no record.
 */
export type SpoolErrorCode = 'locked' | 'foreign' | 'failed' | 'full' | 'invalid' | 'closed';

export class SpoolError extends Error {
  readonly code: SpoolErrorCode;

  constructor(code: SpoolErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'SpoolError';
    this.code = code;
  }
}

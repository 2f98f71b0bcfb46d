import { ERROR_TABLE } from './error-table.js';
import type { ErrorCode, ErrorRow } from './error-table.js';

export interface GatewayErrorDetail {
  /** The field of the request that is at fault. */
  field?: string | undefined;
  retryAfterSeconds?: number | undefined;
  /** Methods that the endpoint takes, for a 405. */
  allow?: string | undefined;
  /** For the log, never for the caller. */
  cause?: unknown;
}

/** The one error that becomes an answer. `message` is for the caller: a sentence that says why and what to do. */
export class GatewayError extends Error {
  readonly code: ErrorCode;
  readonly field: string | undefined;
  readonly retryAfterSeconds: number | undefined;
  readonly allow: string | undefined;

  constructor(code: ErrorCode, message: string, detail: GatewayErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.code = code;
    this.field = detail.field;
    this.retryAfterSeconds = detail.retryAfterSeconds;
    this.allow = detail.allow;
  }

  get row(): ErrorRow {
    return ERROR_TABLE[this.code];
  }

  get status(): number {
    return this.row.status;
  }
}

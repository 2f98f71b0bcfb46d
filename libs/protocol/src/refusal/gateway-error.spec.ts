import { describe, expect, it } from '@jest/globals';
import { ERROR_TABLE } from './error-table.js';
import type { ErrorCode, ErrorRow } from './error-table.js';
import { GatewayError } from './gateway-error.js';

describe('the table of errors', () => {
  it.each(Object.entries(ERROR_TABLE) as [ErrorCode, ErrorRow][])('has a status, a reason and a remedy for %s', (code, row) => {
    expect(new GatewayError(code, 'No.').status).toBe(row.status);
    expect(row.status).toBeGreaterThanOrEqual(400);
    expect(row.status).toBeLessThan(600);
    expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
    for (const sentence of [row.when, row.remedy]) expect(sentence).toMatch(/^[A-Z].*\.$/);
  });

  it('never calls what needs a change of the request, the key or the balance retryable', () => {
    const rows = Object.entries(ERROR_TABLE) as [ErrorCode, ErrorRow][];
    expect(rows.filter(([, row]) => row.retryable && row.status < 500 && row.status !== 408 && row.status !== 429)).toEqual([]);
  });
});

describe('an error', () => {
  it('keeps its cause for the log and is an Error', () => {
    const cause = new Error('the disk is full');
    const error = new GatewayError('spool_unavailable', 'Wait.', { cause, retryAfterSeconds: 5 });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ code: 'spool_unavailable', status: 503, message: 'Wait.', cause, retryAfterSeconds: 5, field: undefined, allow: undefined });
  });

  it('has no cause where none was given', () => {
    expect('cause' in new GatewayError('missing_key', 'No key.')).toBe(false);
  });
});

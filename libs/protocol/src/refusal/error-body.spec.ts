import { describe, expect, it } from '@jest/globals';
import type { Dialect } from '../dialect.js';
import { writeErrorBody, writeErrorEvent } from './error-body.js';
import { ERROR_TABLE } from './error-table.js';
import type { ErrorCode } from './error-table.js';
import { GatewayError } from './gateway-error.js';

const DIALECTS: Dialect[] = ['openai-chat', 'anthropic-messages', 'gemini-content'];
const CODES = Object.keys(ERROR_TABLE) as ErrorCode[];
const CASES = CODES.flatMap((code) => DIALECTS.map((dialect) => [code, dialect] as const));
const HOSTILE = 'Model "a\n\ndata: [DONE]\n\nb\u2028" is\tnot \u{1F600} sold.';

function errorOf(code: ErrorCode): GatewayError {
  return new GatewayError(code, HOSTILE, { field: 'messages[0].content', cause: new Error('secret: postgres is down') });
}

/** What the official types of each provider say about an error. */
const SHAPES: Record<Dialect, (code: ErrorCode, status: number) => unknown> = {
  'openai-chat': (code) => ({ error: { message: HOSTILE, type: expect.stringMatching(/^[a-z_]+$/), param: 'messages[0].content', code } }),
  'anthropic-messages': () => ({ type: 'error', error: { type: expect.stringMatching(/^[a-z_]+$/), message: HOSTILE }, request_id: 'req-1' }),
  'gemini-content': (code, status) => ({
    error: {
      code: status,
      message: HOSTILE,
      status: expect.stringMatching(/^[A-Z_]+$/),
      details: [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: code, domain: 'tokone' }],
    },
  }),
};

describe('an error as a body', () => {
  it.each(CASES)('for %s has the shape of %s', (code, dialect) => {
    const error = errorOf(code);
    expect(JSON.parse(writeErrorBody(dialect, error, 'req-1'))).toEqual(SHAPES[dialect](code, error.status));
  });

  it.each(CASES)('for %s keeps the cause from a caller of %s', (code, dialect) => {
    expect(writeErrorBody(dialect, errorOf(code), 'req-1')).not.toContain('postgres');
  });

  it('names no parameter where no field is at fault', () => {
    expect(JSON.parse(writeErrorBody('openai-chat', new GatewayError('missing_key', 'No key.'), 'r'))).toMatchObject({ error: { param: null } });
  });

  it.each<[ErrorCode, string, string, string]>([
    ['invalid_field', 'invalid_request_error', 'invalid_request_error', 'INVALID_ARGUMENT'],
    ['invalid_key', 'authentication_error', 'authentication_error', 'UNAUTHENTICATED'],
    ['insufficient_balance', 'insufficient_quota', 'billing_error', 'RESOURCE_EXHAUSTED'],
    ['account_suspended', 'permission_error', 'permission_error', 'PERMISSION_DENIED'],
    ['unknown_model', 'invalid_request_error', 'not_found_error', 'NOT_FOUND'],
    ['method_not_allowed', 'invalid_request_error', 'invalid_request_error', 'UNIMPLEMENTED'],
    ['request_timeout', 'invalid_request_error', 'invalid_request_error', 'DEADLINE_EXCEEDED'],
    ['body_too_large', 'invalid_request_error', 'request_too_large', 'INVALID_ARGUMENT'],
    ['balance_held', 'rate_limit_error', 'rate_limit_error', 'RESOURCE_EXHAUSTED'],
    ['internal_error', 'server_error', 'api_error', 'INTERNAL'],
    ['upstream_failed', 'server_error', 'api_error', 'UNAVAILABLE'],
    ['upstream_overloaded', 'server_error', 'overloaded_error', 'UNAVAILABLE'],
    ['upstream_timeout', 'server_error', 'timeout_error', 'DEADLINE_EXCEEDED'],
  ])('for %s has the type that each provider gives to its status', (code, openai, anthropic, gemini) => {
    const typeOf = (dialect: Dialect) => (JSON.parse(writeErrorBody(dialect, errorOf(code), 'r')) as { error: { type?: string; status?: string } }).error;
    expect([typeOf('openai-chat').type, typeOf('anthropic-messages').type, typeOf('gemini-content').status]).toEqual([openai, anthropic, gemini]);
  });
});

describe('an error inside an answer', () => {
  it.each(CASES)('for %s is one event of %s', (code, dialect) => {
    const event = writeErrorEvent({ dialect: dialect, framing: 'sse' }, errorOf(code), 'req-1');
    const lines = event.split('\n');
    const name = dialect === 'anthropic-messages' ? ['event: error'] : [];
    expect(lines.slice(0, -3)).toEqual(name);
    expect(lines.slice(-2)).toEqual(['', '']);
    const data = lines.at(-3) ?? '';
    expect(data.startsWith('data: ')).toBe(true);
    expect(data.slice(6)).toBe(writeErrorBody(dialect, errorOf(code), 'req-1'));
  });

  it("is one more element of Gemini's array", () => {
    const event = writeErrorEvent({ dialect: 'gemini-content', framing: 'json-array' }, errorOf('balance_exhausted'), 'r');
    expect(JSON.parse(`[{"candidates":[]}${event}]`)).toHaveLength(2);
  });

  it.each(DIALECTS)('is nothing within one JSON document of %s', (dialect) => {
    expect(writeErrorEvent({ dialect: dialect, framing: 'json' }, errorOf('upstream_failed'), 'r')).toBe('');
  });
});

import type { OutgoingHttpHeaders } from 'node:http';
import type { JsonObject } from '../dialect.js';
import type { Refusal } from '../refusal.js';

interface Row {
  readonly type: string;
  readonly code: string | null;
  readonly message: string;
}

/** After "Error codes" of the OpenAI API documentation. */
const rows: Readonly<Record<number, Row>> = {
  400: { type: 'invalid_request_error', code: null, message: 'The request could not be processed.' },
  401: { type: 'invalid_request_error', code: 'invalid_api_key', message: 'Incorrect API key provided.' },
  403: { type: 'request_forbidden', code: 'unsupported_country_region_territory', message: 'Country, region, or territory not supported' },
  404: { type: 'invalid_request_error', code: 'model_not_found', message: 'The model does not exist or you do not have access to it.' },
  405: { type: 'invalid_request_error', code: null, message: 'Method not allowed.' },
  408: { type: 'server_error', code: 'request_timeout', message: 'The request timed out.' },
  413: { type: 'invalid_request_error', code: 'request_too_large', message: 'The request body is larger than the limit.' },
  429: { type: 'requests', code: 'rate_limit_exceeded', message: 'Rate limit reached for requests per min (RPM).' },
  500: { type: 'server_error', code: null, message: 'The server had an error while processing your request. Sorry about that!' },
  503: { type: 'server_error', code: 'overloaded', message: 'The engine is currently overloaded, please try again later' },
};

const otherServerRow: Row = { type: 'server_error', code: null, message: 'The server had an error processing your request.' };
const otherClientRow: Row = { type: 'invalid_request_error', code: null, message: 'The request was refused.' };

export function writeOpenAiRefusal(refusal: Refusal): { headers: OutgoingHttpHeaders; body: JsonObject } {
  const retryAfterSeconds = refusal.retryAfterSeconds;
  return {
    headers: retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds), 'retry-after-ms': String(retryAfterSeconds * 1000) },
    body: { error: errorOf(refusal) },
  };
}

function errorOf(refusal: Refusal): JsonObject {
  const row = rows[refusal.status] ?? (refusal.status >= 500 ? otherServerRow : otherClientRow);
  return { message: refusal.message || row.message, type: row.type, param: refusal.field ?? null, code: refusal.code ?? row.code };
}

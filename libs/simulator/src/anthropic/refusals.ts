import type { OutgoingHttpHeaders } from 'node:http';
import type { JsonObject } from '../dialect.js';
import type { Refusal } from '../refusal.js';

/** After "Errors" of the Claude API documentation: status → type and a sentence. */
const rows: Readonly<Record<number, readonly [type: string, message: string]>> = {
  400: ['invalid_request_error', 'There was an issue with the format or content of your request.'],
  401: ['authentication_error', 'invalid x-api-key'],
  402: ['billing_error', 'There is an issue with your billing or payment information.'],
  403: ['permission_error', 'Your API key does not have permission to use the specified resource.'],
  404: ['not_found_error', 'The requested resource was not found.'],
  409: ['conflict_error', 'The request conflicts with the state of the resource.'],
  413: ['request_too_large', 'Request exceeds the maximum allowed number of bytes.'],
  429: ['rate_limit_error', "Number of request tokens has exceeded your per-minute rate limit."],
  500: ['api_error', 'Internal server error'],
  504: ['timeout_error', 'The request timed out while processing.'],
  529: ['overloaded_error', 'Overloaded'],
};

export function writeAnthropicRefusal(refusal: Refusal, requestId: string): { headers: OutgoingHttpHeaders; body: JsonObject } {
  const [type, sentence] = rows[refusal.status] ?? (refusal.status >= 500 ? ['api_error', 'Internal server error'] : ['invalid_request_error', 'Refused.']);
  const retryable = refusal.status === 429 || refusal.status >= 500;
  return {
    headers: {
      'x-should-retry': String(retryable),
      ...(refusal.retryAfterSeconds === undefined ? {} : { 'retry-after': String(refusal.retryAfterSeconds) }),
    },
    body: { type: 'error', error: { type, message: refusal.message || sentence }, request_id: requestId },
  };
}

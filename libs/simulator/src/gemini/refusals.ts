import type { OutgoingHttpHeaders } from 'node:http';
import type { JsonObject } from '../dialect.js';
import type { Refusal } from '../refusal.js';

/** After "Troubleshooting" of the Gemini API documentation: status → canonical name and a sentence. */
const rows: Readonly<Record<number, readonly [status: string, message: string]>> = {
  400: ['INVALID_ARGUMENT', 'Request contains an invalid argument.'],
  401: ['UNAUTHENTICATED', 'Request had invalid authentication credentials.'],
  403: ['PERMISSION_DENIED', 'The caller does not have permission'],
  404: ['NOT_FOUND', 'Requested entity was not found.'],
  409: ['ABORTED', 'The operation was aborted.'],
  413: ['INVALID_ARGUMENT', 'Request payload size exceeds the limit.'],
  429: ['RESOURCE_EXHAUSTED', 'You exceeded your current quota, please check your plan and billing details.'],
  499: ['CANCELLED', 'The operation was cancelled.'],
  500: ['INTERNAL', 'An internal error has occurred.'],
  503: ['UNAVAILABLE', 'The model is overloaded. Please try again later.'],
  504: ['DEADLINE_EXCEEDED', 'Deadline expired before operation could complete.'],
};

export function writeGeminiRefusal(refusal: Refusal): { headers: OutgoingHttpHeaders; body: JsonObject } {
  const [status, sentence] = rows[refusal.status] ?? (refusal.status >= 500 ? ['UNAVAILABLE', 'The service is currently unavailable.'] : ['INVALID_ARGUMENT', 'Request refused.']);
  const details = detailsOf(refusal);
  return {
    headers: refusal.retryAfterSeconds === undefined ? {} : { 'retry-after': String(refusal.retryAfterSeconds) },
    body: { error: { code: refusal.status, message: refusal.message || sentence, status, ...(details.length > 0 ? { details } : {}) } },
  };
}

function detailsOf(refusal: Refusal): JsonObject[] {
  const details: JsonObject[] = [];
  if (refusal.code !== undefined) {
    details.push({
      '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
      'reason': refusal.code,
      'domain': 'googleapis.com',
      'metadata': { service: 'generativelanguage.googleapis.com' },
    });
  }
  if (refusal.field !== undefined) {
    const violation = { field: refusal.field, description: refusal.message };
    details.push({ '@type': 'type.googleapis.com/google.rpc.BadRequest', 'fieldViolations': [violation] });
  }
  if (refusal.retryAfterSeconds !== undefined) {
    details.push({ '@type': 'type.googleapis.com/google.rpc.RetryInfo', 'retryDelay': `${refusal.retryAfterSeconds}s` });
  }
  return details;
}

import type { AnswerFraming, Dialect } from '../dialect.js';
import type { GatewayError } from './gateway-error.js';

/**
 * Writes an error as the provider of the caller's dialect would, so that official SDKs raise their own typed errors.
 * Shapes: OpenAI API reference "Error codes", Anthropic API "Errors", Google API "Status" (google.rpc.Status in JSON).
 */
export function writeErrorBody(dialect: Dialect, error: GatewayError, requestId: string): string {
  switch (dialect) {
    case 'openai-chat':
      return JSON.stringify({
        error: { message: error.message, type: openaiType(error.status), param: error.field ?? null, code: error.code },
      });
    case 'anthropic-messages':
      return JSON.stringify({
        type: 'error',
        error: { type: anthropicType(error.status), message: error.message },
        request_id: requestId,
      });
    case 'gemini-content':
      return JSON.stringify({
        error: {
          code: error.status,
          message: error.message,
          status: geminiStatus(error.status),
          details: [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: error.code, domain: 'tokone' }],
        },
      });
  }
}

/** The same error inside an answer that has already begun. The connection is destroyed behind it, never ended cleanly. */
export function writeErrorEvent(place: { dialect: Dialect; framing: AnswerFraming }, error: GatewayError, requestId: string): string {
  const { dialect, framing } = place;
  const body = writeErrorBody(dialect, error, requestId);
  if (framing === 'json') return '';
  if (framing === 'json-array') return `,\n${body}`;
  return dialect === 'anthropic-messages' ? `event: error\ndata: ${body}\n\n` : `data: ${body}\n\n`;
}

function openaiType(status: number): string {
  if (status === 402) return 'insufficient_quota';
  if (status === 429) return 'rate_limit_error';
  if (status === 401) return 'authentication_error';
  if (status === 403) return 'permission_error';
  return status >= 500 ? 'server_error' : 'invalid_request_error';
}

function anthropicType(status: number): string {
  switch (status) {
    case 401:
      return 'authentication_error';
    case 402:
      return 'billing_error';
    case 403:
      return 'permission_error';
    case 404:
      return 'not_found_error';
    case 413:
      return 'request_too_large';
    case 429:
      return 'rate_limit_error';
    case 503:
      return 'overloaded_error';
    case 504:
      return 'timeout_error';
    default:
      return status >= 500 ? 'api_error' : 'invalid_request_error';
  }
}

function geminiStatus(status: number): string {
  switch (status) {
    case 401:
      return 'UNAUTHENTICATED';
    case 402:
    case 429:
      return 'RESOURCE_EXHAUSTED';
    case 403:
      return 'PERMISSION_DENIED';
    case 404:
      return 'NOT_FOUND';
    case 405:
      return 'UNIMPLEMENTED';
    case 500:
      return 'INTERNAL';
    case 502:
    case 503:
      return 'UNAVAILABLE';
    case 408:
    case 504:
      return 'DEADLINE_EXCEEDED';
    default:
      return 'INVALID_ARGUMENT';
  }
}

import { STATUS_CODES } from 'node:http';
import type { ConnectionRefusal } from '@tokone/http';
import type { ErrorCode, Uuid7Source } from '@tokone/protocol';
import { GatewayError, writeErrorBody } from '@tokone/protocol';
import { dialectOfCaller } from './dialect-of-caller.js';

/** Large enough that an oversized key still gets an answer in its own dialect. */
export const MAX_HEADER_BYTES = 96 * 1024;

/** Answers what is no request, whole, in the caller's dialect where that is known. `onRefusal` hears of each. */
export function connectionRefusal(ids: Uuid7Source, onRefusal: (status: number, code: ErrorCode) => void): ConnectionRefusal {
  return (error, inBody) => {
    const requestId = ids.next();
    const refusal = clientError(error.code);
    onRefusal(refusal.status, refusal.code);
    // Where even the head could not be read nothing tells the dialect.
    const dialect = inBody ? dialectOfCaller(inBody.url ?? '/', inBody.headers) : 'openai-chat';
    const body = writeErrorBody(dialect, refusal, requestId);
    return `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nx-request-id: ${requestId}\r\nconnection: close\r\n\r\n${body}`;
  };
}

function clientError(code: string | undefined): GatewayError {
  if (code === 'HPE_HEADER_OVERFLOW') return new GatewayError('headers_too_large', `The request head is larger than ${MAX_HEADER_BYTES} bytes, or has too many headers. Send fewer or shorter ones.`);
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new GatewayError('request_timeout', 'The request did not arrive whole in time. Send it again.');
  return new GatewayError('malformed_request', 'This is not an HTTP request that can be read.');
}

import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Uuid7Source } from '@tokone/protocol';
import { GatewayError, findEndpoint, hasKeyInQuery, writeErrorBody } from '@tokone/protocol';
import { writeRefusal } from './client-answer.js';
import { dialectOfCaller } from './dialect-of-caller.js';
import type { InferenceIntake } from './inference-intake.js';

export type RequestListener = (request: IncomingMessage, response: ServerResponse) => void;

/** Large enough that an oversized key still gets an answer in its own dialect. */
const MAX_HEADER_BYTES = 96 * 1024;

/**
 * The public listener. Inference goes straight to the intake, past the framework; all else falls through to it.
 * A key in the query is refused here, on every path.
 */
export function createFront(intake: InferenceIntake, ids: Uuid7Source, fallThrough: RequestListener): Server {
  const server = createServer(
    { noDelay: true, keepAlive: true, keepAliveTimeout: 65_000, headersTimeout: 10_000, requestTimeout: 300_000, maxHeaderSize: MAX_HEADER_BYTES },
    (request, response) => {
      const url = request.url ?? '/';
      const mark = url.indexOf('?');
      const path = mark < 0 ? url : url.slice(0, mark);
      const query = mark < 0 ? '' : url.slice(mark + 1);
      if (hasKeyInQuery(query)) return refuseKeyInQuery(request, response, ids);
      const endpoint = request.method === 'POST' ? findEndpoint(path, query) : undefined;
      if (endpoint) void intake.take(request, response, endpoint);
      else {
        response.setHeader('x-request-id', ids.next());
        fallThrough(request, response);
      }
    },
  );
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => answerClientError(error, socket as Socket, ids));
  return server;
}

function refuseKeyInQuery(request: IncomingMessage, response: ServerResponse, ids: Uuid7Source): void {
  const error = new GatewayError('key_in_query', 'An API key in the URL is not supported: URLs end up in logs. Send it in a header, and replace this key.');
  writeRefusal(response, { dialect: dialectOfCaller(request.url ?? '/', request.headers), error, requestId: ids.next() });
}

/** What is not HTTP, or too large a head: there is no request to look at, so the answer is in OpenAI's shape, and the connection ends. */
function answerClientError(error: NodeJS.ErrnoException, socket: Socket, ids: Uuid7Source): void {
  if (!socket.writable || error.code === 'ECONNRESET' || socket.bytesWritten > 0) {
    socket.destroy();
    return;
  }
  const requestId = ids.next();
  const refusal = clientError(error.code);
  const body = writeErrorBody('openai-chat', refusal, requestId);
  socket.end(
    `HTTP/1.1 ${refusal.status} ${refusal.code}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nx-request-id: ${requestId}\r\nconnection: close\r\n\r\n${body}`,
  );
}

function clientError(code: string | undefined): GatewayError {
  if (code === 'HPE_HEADER_OVERFLOW') return new GatewayError('headers_too_large', `The request head is larger than ${MAX_HEADER_BYTES} bytes. Send fewer or shorter headers.`);
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new GatewayError('request_timeout', 'The request did not arrive whole in time. Send it again.');
  return new GatewayError('malformed_request', 'This is not an HTTP request that can be read.');
}

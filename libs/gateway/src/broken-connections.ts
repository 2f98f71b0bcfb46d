import { STATUS_CODES } from 'node:http';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Uuid7Source } from '@tokone/protocol';
import { GatewayError, writeErrorBody } from '@tokone/protocol';
import { dialectOfCaller } from './dialect-of-caller.js';

/** Large enough that an oversized key still gets an answer in its own dialect. */
export const MAX_HEADER_BYTES = 96 * 1024;
/**
 * Node looks at its deadlines before it reads what has come: after a standstill of the whole process (a paused machine,
 * a stopped container) it would refuse requests of which every byte is there. So long it gets to read them.
 */
const READING_MS = 250;
/** So long a client may take to read its refusal and to close. */
const LINGER_MS = 5_000;

/** What is not HTTP, too large a head or too late: answered where no other answer is under way, and the connection ends. */
export class BrokenConnections {
  /** The answer to the last request of a connection whose head could be read. */
  private readonly latest = new WeakMap<Socket, ServerResponse>();

  constructor(private readonly ids: Uuid7Source) {}

  note(response: ServerResponse): void {
    this.latest.set(response.req.socket, response);
  }

  answer(error: NodeJS.ErrnoException, socket: Socket): void {
    if (error.code !== 'ERR_HTTP_REQUEST_TIMEOUT') return this.refuse(error, socket);
    const before = this.latest.get(socket);
    setTimeout(() => {
      if (this.isServed(socket, before)) return;
      // Clients and balancers open connections in reserve: an answer to nothing would be taken for that to the first request.
      if (socket.bytesRead === 0) socket.destroy();
      else this.refuse(error, socket);
    }, READING_MS).unref();
  }

  /** The request was there after all. Bytes of it are not enough: a trickle of them would keep the connection for ever. */
  private isServed(socket: Socket, before: ServerResponse | undefined): boolean {
    const now = this.latest.get(socket);
    return now !== before || (now !== undefined && now.req.complete && !now.writableFinished);
  }

  private refuse(error: NodeJS.ErrnoException, socket: Socket): void {
    const latest = this.latest.get(socket);
    const inBody = latest?.socket === socket && !latest.headersSent && !latest.req.complete;
    const idle = latest === undefined || latest.writableFinished;
    if (!socket.writable || error.code === 'ECONNRESET' || !(inBody || idle)) {
      socket.destroy();
      return;
    }
    const requestId = this.ids.next();
    const refusal = clientError(error.code);
    // Where even the head could not be read nothing tells the dialect.
    const dialect = inBody ? dialectOfCaller(latest.req.url ?? '/', latest.req.headers) : 'openai-chat';
    const body = writeErrorBody(dialect, refusal, requestId);
    socket.end(
      `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nx-request-id: ${requestId}\r\nconnection: close\r\n\r\n${body}`,
    );
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  }
}

function clientError(code: string | undefined): GatewayError {
  if (code === 'HPE_HEADER_OVERFLOW') return new GatewayError('headers_too_large', `The request head is larger than ${MAX_HEADER_BYTES} bytes, or has too many headers. Send fewer or shorter ones.`);
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new GatewayError('request_timeout', 'The request did not arrive whole in time. Send it again.');
  return new GatewayError('malformed_request', 'This is not an HTTP request that can be read.');
}

import type { IncomingMessage } from 'node:http';
import { GatewayError } from '@tokone/protocol';

export interface BodyLimits {
  /** Largest body, bytes. */
  bodyBytes: number;
  /** All bodies in memory at a time, bytes. */
  bufferedBodyBytes: number;
  bodyTimeoutMs: number;
}

/** The client went away before its request was whole: there is nobody to answer. */
export class ClientLeftError extends Error {}

/** Bytes of request bodies that are in memory, over all requests. */
export class BodyBudget {
  private bytes = 0;

  constructor(private readonly limits: BodyLimits) {}

  /** Refuses a body by its head, before a byte of it is read. */
  check(request: IncomingMessage): void {
    const { headers } = request;
    const encoding = headers['content-encoding'];
    if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
      throw new GatewayError('unsupported_body', `A body with Content-Encoding "${encoding.slice(0, 40)}" cannot be metered. Send it plain.`);
    }
    const type = headers['content-type'];
    if (type !== undefined && !/^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(type)) {
      throw new GatewayError('unsupported_body', `Content-Type "${type.slice(0, 60)}" is not JSON. Send application/json.`);
    }
    const length = Number(headers['content-length'] ?? 0);
    if (length > this.limits.bodyBytes) throw tooLarge(this.limits.bodyBytes);
  }

  /** Reads the whole body. The caller gives its bytes back with `release` when it no longer holds it. */
  read(request: IncomingMessage): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      if (request.destroyed && !request.complete) return reject(new ClientLeftError('the client left before its request was whole'));
      const chunks: Buffer[] = [];
      let bytes = 0;
      const timer = setTimeout(() => fail(new GatewayError('request_timeout', 'The request body did not arrive in time. Send it again.')), this.limits.bodyTimeoutMs);
      const fail = (error: Error) => {
        clearTimeout(timer);
        request.off('data', take).off('end', end).off('close', left).off('error', left);
        this.release(bytes);
        reject(error);
      };
      const take = (chunk: Buffer) => {
        bytes += chunk.length;
        this.bytes += chunk.length;
        chunks.push(chunk);
        if (bytes > this.limits.bodyBytes) fail(tooLarge(this.limits.bodyBytes));
        else if (this.bytes > this.limits.bufferedBodyBytes) fail(new GatewayError('not_ready', 'Too many large requests at a time. Send it again in a moment.', { retryAfterSeconds: 1 }));
      };
      const end = () => {
        clearTimeout(timer);
        request.off('close', left).off('error', left);
        resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, bytes));
      };
      const left = () => {
        if (!request.complete) fail(new ClientLeftError('the client left before its request was whole'));
      };
      request.on('data', take).on('end', end).on('close', left).on('error', left);
    });
  }

  release(bytes: number): void {
    this.bytes -= bytes;
  }
}

function tooLarge(limitBytes: number): GatewayError {
  return new GatewayError('body_too_large', `The body is larger than ${limitBytes} bytes, which is the limit here.`);
}

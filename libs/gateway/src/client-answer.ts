import type { ServerResponse } from 'node:http';
import { writeErrorBody, writeErrorEvent } from '@tokone/protocol';
import type { AnswerFraming, Dialect, GatewayError } from '@tokone/protocol';

export interface ClientAnswerOptions {
  response: ServerResponse;
  requestId: string;
  dialect: Dialect;
  /** A reader that takes nothing for this long counts as gone. */
  stallTimeoutMs: number;
  /** The client went away before the answer was whole. Called at most once. */
  onGone: () => void;
  /** The client takes bytes again after `write` returned false. */
  onDrain: () => void;
}

/** The answer to one client: head once, bytes in order, and exactly one end, which is clean only when the answer is whole. */
export class ClientAnswer {
  private status = 200;
  private headers: Readonly<Record<string, string>> = {};
  private framing: AnswerFraming = 'json';
  private stallTimer: NodeJS.Timeout | undefined;
  private ended = false;
  gone = false;

  constructor(private readonly options: ClientAnswerOptions) {
    const { response } = options;
    response.on('close', () => this.closed());
    response.on('drain', () => this.drained());
    if (response.destroyed) this.closed();
  }

  get headSent(): boolean {
    return this.options.response.headersSent;
  }

  /** Sets the head; it leaves with the first bytes. */
  begin(status: number, headers: Readonly<Record<string, string>>, framing: AnswerFraming): void {
    this.status = status;
    this.headers = headers;
    this.framing = framing;
  }

  /** False: the client is behind, wait for `onDrain`. */
  write(slices: readonly Buffer[]): boolean {
    if (this.gone) return true;
    const { response } = this.options;
    if (!response.headersSent) this.writeHead(undefined);
    let room = true;
    for (const slice of slices) room = response.write(slice);
    if (!room) this.watchStall();
    return room;
  }

  /** The last bytes of a whole answer. */
  finish(slices: readonly Buffer[]): void {
    if (this.gone) return;
    const { response } = this.options;
    const last = slices.length === 1 ? (slices[0] as Buffer) : Buffer.concat(slices);
    if (!response.headersSent) this.writeHead(this.framing === 'sse' ? undefined : last.length);
    this.ended = true;
    this.watchStall();
    response.end(last);
  }

  /** An error: as a whole answer while nothing has been sent, else as an event, behind which the connection is destroyed. */
  fail(error: GatewayError): void {
    if (this.gone) return;
    const { response, dialect, requestId } = this.options;
    if (!response.headersSent) {
      this.ended = true;
      writeRefusal(response, { dialect, error, requestId });
      return;
    }
    const event = writeErrorEvent({ dialect, framing: this.framing }, error, requestId);
    if (event !== '') response.write(event);
    this.destroyAfterFlush();
  }

  /** Ends without a clean end, once what was written has left. */
  destroyAfterFlush(): void {
    if (this.gone) return;
    this.watchStall();
    this.options.response.write('', () => this.destroy());
  }

  /** Ends without a clean end: what came stays a fragment. */
  destroy(): void {
    this.options.response.destroy();
  }

  private writeHead(contentLength: number | undefined): void {
    const { response, requestId } = this.options;
    const head: Record<string, string | number> = { ...this.headers, 'x-request-id': requestId };
    if (contentLength !== undefined) head['content-length'] = contentLength;
    response.writeHead(this.status, head);
  }

  /** Counts what the socket has handed to the kernel: a slow reader lives as long as it takes anything at all. */
  private watchStall(): void {
    if (this.stallTimer !== undefined) return;
    const flushedBytes = this.flushedBytes();
    this.stallTimer = setTimeout(() => {
      this.stallTimer = undefined;
      if (this.flushedBytes() === flushedBytes) this.destroy();
      else this.watchStall();
    }, this.options.stallTimeoutMs);
  }

  private flushedBytes(): number {
    const { socket } = this.options.response;
    return socket ? socket.bytesWritten - socket.writableLength : 0;
  }

  private drained(): void {
    clearTimeout(this.stallTimer);
    this.stallTimer = undefined;
    if (!this.ended) this.options.onDrain();
  }

  private closed(): void {
    clearTimeout(this.stallTimer);
    this.stallTimer = undefined;
    if (this.gone || this.options.response.writableFinished) return;
    this.gone = true;
    this.options.onGone();
  }
}

/** Answers a request with an error, whole, in the caller's dialect. */
export function writeRefusal(response: ServerResponse, refusal: { dialect: Dialect; error: GatewayError; requestId: string }): void {
  const { dialect, error, requestId } = refusal;
  if (response.headersSent || response.destroyed) return;
  const body = writeErrorBody(dialect, error, requestId);
  const head: Record<string, string | number> = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'x-request-id': requestId,
  };
  if (error.retryAfterSeconds !== undefined) head['retry-after'] = error.retryAfterSeconds;
  if (error.allow !== undefined) head['allow'] = error.allow;
  // A body that is not read to its end would be parsed as the next request.
  if (!response.req.complete) head['connection'] = 'close';
  response.writeHead(error.status, head);
  response.end(body);
}

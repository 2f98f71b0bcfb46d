import type { IncomingMessage, ServerResponse } from 'node:http';
import { writeErrorBody, writeErrorEvent } from '@tokone/protocol';
import type { AnswerFraming, Dialect, GatewayError } from '@tokone/protocol';
import type { RequestCause } from '@tokone/telemetry';
import { noteCause } from './request-measure.js';

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

/**
 * The stall time is counted in so many parts: Node's own timeout begins anew when it first sees a write that is only
 * half taken, and would make the whole time twice as long.
 */
const STALL_LOOKS = 4;
/** Anthropic API, "Errors": where its SDK takes the request id from. */
const ANTHROPIC_REQUEST_ID = 'request-id';

/** The answer to one client: head once, bytes in order, and exactly one end, which is clean only when the answer is whole. */
export class ClientAnswer {
  private status = 200;
  private headers: Readonly<Record<string, string>> = {};
  private framing: AnswerFraming = 'json';
  private stalled = false;
  private stillLooks = 0;
  private lookedAtMs = 0;
  private finished = false;
  private closedAlready = false;
  private onClosed: (() => void) | undefined;
  private ended = false;
  /** The last four bytes sent, the newest lowest: whether the client is in the middle of an event. */
  private tail = 0;
  gone = false;

  constructor(private readonly options: ClientAnswerOptions) {
    const { response } = options;
    // A destroyed response without a socket calls itself finished; only the event tells.
    response.on('finish', () => (this.finished = true));
    response.on('close', () => this.closed());
    response.on('drain', () => this.drained());
    response.on('timeout', () => this.stallSeen());
    if (response.destroyed) this.closed();
  }

  get headSent(): boolean {
    return this.options.response.headersSent;
  }

  /** Why this answer is not what was asked for, for the metrics. */
  note(cause: RequestCause): void {
    noteCause(this.options.response, cause);
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
    for (const slice of slices) {
      room = response.write(slice);
      this.tail = shiftIn(this.tail, slice);
    }
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

  /**
   * An error: as a whole answer while nothing has been sent, else as an event, behind which the connection is
   * destroyed. `unsent` is what would have come next: the event that the client has a part of is completed from it,
   * because a client that reads half an event and then ours understands neither.
   */
  fail(error: GatewayError, unsent: readonly Buffer[] = []): void {
    if (this.gone) return;
    const { response, dialect, requestId } = this.options;
    if (!response.headersSent) {
      this.ended = true;
      writeRefusal(response, { dialect, error, requestId });
      return;
    }
    const event = writeErrorEvent({ dialect, framing: this.framing }, error, requestId);
    if (this.framing === 'sse') response.write(endOfEvent(this.tail, unsent));
    if (event !== '') response.write(event);
    this.destroyAfterFlush();
  }

  /**
   * Ends without a clean end, behind what was written: the socket is ended while the body is not. A socket that is
   * closed with bytes on their way can be reset (the client sent more, the kernel is short of memory), and a client
   * that reads slowly would lose the error. It is destroyed when the client closes its side, or stalls.
   */
  destroyAfterFlush(): void {
    if (this.gone) return;
    this.watchStall();
    const { response } = this.options;
    if (response.chunkedEncoding) response.write('', () => response.socket?.end());
    else response.write('', () => this.destroy());
  }

  /** Ends without a clean end: what came stays a fragment. */
  destroy(): void {
    const { response } = this.options;
    // Without chunks the end of the connection is the end of the body: only a reset tells the client that it was cut.
    if (response.headersSent && !response.chunkedEncoding) response.socket?.resetAndDestroy();
    else response.destroy();
  }

  private writeHead(contentLength: number | undefined): void {
    const { response, dialect, requestId } = this.options;
    const head: Record<string, string | number> = { ...this.headers, 'x-request-id': requestId };
    if (dialect === 'anthropic-messages') head[ANTHROPIC_REQUEST_ID] = requestId;
    if (contentLength !== undefined) head['content-length'] = contentLength;
    response.writeHead(this.status, head);
  }

  /** The socket's own timeout starts anew with whatever leaves it: a slow reader lives as long as it takes anything at all. */
  private watchStall(): void {
    if (this.stalled) return;
    this.stalled = true;
    this.stillLooks = 0;
    this.lookAgain();
  }

  private lookAgain(): void {
    this.lookedAtMs = performance.now();
    this.options.response.setTimeout(this.lookMs);
  }

  /** Nothing was taken for one part of the stall time. Node tells nothing of progress, but then it tells this later. */
  private stallSeen(): void {
    const onTime = performance.now() - this.lookedAtMs < this.lookMs * 1.5;
    this.stillLooks = onTime ? this.stillLooks + 1 : 1;
    if (this.stillLooks >= STALL_LOOKS) this.destroy();
    else this.lookAgain();
  }

  private get lookMs(): number {
    return Math.ceil(this.options.stallTimeoutMs / STALL_LOOKS);
  }

  private drained(): void {
    if (!this.ended && this.stalled) {
      this.stalled = false;
      this.options.response.setTimeout(0);
    }
    if (!this.ended) this.options.onDrain();
  }

  /** Calls back once the response has been closed, its last bytes handed over or given up: at once when that was before. */
  whenClosed(onClosed: () => void): void {
    if (this.closedAlready) onClosed();
    else this.onClosed = onClosed;
  }

  private closed(): void {
    this.closedAlready = true;
    this.onClosed?.();
    if (this.gone || this.finished) return;
    this.gone = true;
    this.options.onGone();
  }
}

function shiftIn(tail: number, slice: Buffer): number {
  let shifted = tail;
  for (let at = Math.max(0, slice.length - 4); at < slice.length; at++) shifted = (shifted << 8) | (slice[at] ?? 0);
  return shifted;
}

/** What lacks until an event sent in part is whole: its own bytes up to the blank line, else a blank line. */
function endOfEvent(tail: number, unsent: readonly Buffer[]): Buffer {
  const sent = Buffer.alloc(4);
  sent.writeInt32BE(tail);
  if (/(?:\n\n|\r\r|\r\n\r\n)$/.test(sent.toString('latin1'))) return Buffer.alloc(0);
  const text = Buffer.concat([sent, ...unsent]);
  const blank = /\r\n\r\n|\n\n|\r\r/.exec(text.toString('latin1'));
  return blank ? text.subarray(sent.length, blank.index + blank[0].length) : Buffer.from('\n\n');
}

/** Answers a request with an error, whole, in the caller's dialect. */
export function writeRefusal(response: ServerResponse, refusal: { dialect: Dialect; error: GatewayError; requestId: string }): void {
  const { dialect, error, requestId } = refusal;
  if (response.headersSent || response.destroyed) return;
  noteCause(response, error.code);
  const body = writeErrorBody(dialect, error, requestId);
  const head: Record<string, string | number> = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'x-request-id': requestId,
  };
  if (dialect === 'anthropic-messages') head[ANTHROPIC_REQUEST_ID] = requestId;
  if (error.retryAfterSeconds !== undefined) head['retry-after'] = error.retryAfterSeconds;
  if (error.allow !== undefined) head['allow'] = error.allow;
  const { req: request } = response;
  if (request.complete || (isShort(request) && error.code !== 'request_timeout')) {
    response.writeHead(error.status, head);
    response.end(body);
    return;
  }
  response.writeHead(error.status, { ...head, connection: 'close' });
  response.write(body);
  endAfterRequest(response);
}

/** A body up to this is read and discarded, so that the connection can serve the next request. */
const SHORT_BODY_BYTES = 65_536;
const DISCARD_MS = 5_000;

function isShort({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) <= SHORT_BODY_BYTES;
}

/**
 * A connection that is closed while the client still sends is reset, and with it the client may lose the answer. So
 * what it sends is discarded for a while first; the answer itself is whole by its length.
 */
function endAfterRequest(response: ServerResponse): void {
  const { req: request } = response;
  const end = () => {
    clearTimeout(timer);
    response.end();
  };
  const timer = setTimeout(end, DISCARD_MS);
  request.once('end', end).once('close', end).resume();
}

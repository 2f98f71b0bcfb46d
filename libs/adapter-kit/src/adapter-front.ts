import { createServer } from 'node:http';
import type { IncomingMessage, RequestListener, Server, ServerOptions, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { BrokenConnections, Slots } from '@tokone/http';
import type { Logger } from '@tokone/telemetry';
import type { Adapter } from './adapter.js';
import { DispatchAnswer } from './dispatch-answer.js';
import { DISPATCH_PATH, LENGTH_BYTES, MAX_HEAD_BYTES, SIGN_OF_LIFE_MS, readDispatch } from './dispatch-wire.js';
import type { DispatchRefusal } from './dispatch-wire.js';

export interface AdapterFrontOptions {
  /** The adapter proper, in this process. */
  adapter: Adapter;
  /** Tells from the whole `authorization` header whether it is a service of the deployment that asks, in constant time. */
  secret: { matches(authorization: string | undefined): boolean };
  logger: Logger;
  /** Largest body of a request, bytes; as the gateway's own. */
  bodyBytes: number;
  /** All bodies in memory at a time, bytes. Beyond it this replica is not serving. */
  bufferedBodyBytes: number;
  /** How often gateways hear that their answers are still awaited. Default `SIGN_OF_LIFE_MS`. */
  signOfLifeMs?: number;
}

/** What waits for a slow gateway beside the last read, before the upstream is paused. */
const WRITE_AHEAD_BYTES = 16_384;
/** The gateway is told, and closes an idle connection two seconds before. */
const IDLE_CONNECTION_MS = 8_000;
/** For answers that were cut to leave. */
const CUT_GRACE_MS = 1_000;

/** Until the request is there; an answer takes as long as it takes. */
const REQUEST_MS = 60_000;
/**
 * A gateway that stood still closes late. It must not meet what was closed here meanwhile: it could not know whether its
 * dispatch had been read, and would have to fail the request. Longer than a gateway may stand still and keep its place.
 */
const FORBEARANCE_MS = 60_000;

/** `keepAliveTimeoutBuffer` is how much later the connection is closed than was told. */
const SERVER_OPTIONS: ServerOptions & { keepAliveTimeoutBuffer: number } = {
  noDelay: true,
  keepAlive: true,
  keepAliveTimeout: IDLE_CONNECTION_MS,
  keepAliveTimeoutBuffer: FORBEARANCE_MS,
  headersTimeout: FORBEARANCE_MS,
  requestTimeout: REQUEST_MS,
  connectionsCheckingInterval: 5_000,
  highWaterMark: WRITE_AHEAD_BYTES,
};

/**
 * The listener of an adapter service: dispatches go straight to the adapter, past the framework; all else falls through
 * to it. `drain` comes before the server is closed: a request that meets a closing connection may or may not have
 * been read, so the front says that it is not serving for as long as a gateway still has a connection here.
 */
export class AdapterFront {
  private readonly running = new Slots<DispatchAnswer>();
  private readonly connections = new Set<Socket>();
  private bufferedBytes = 0;
  private draining = false;
  /** While anything runs. */
  private signTimer: NodeJS.Timeout | undefined;
  private onChange = (): void => undefined;

  constructor(private readonly options: AdapterFrontOptions) {}

  /** The server, not listening yet. The caller closes it, after `drain`. */
  createServer(fallThrough: RequestListener): Server {
    const broken = new BrokenConnections(REQUEST_MS, refusalOfBroken);
    const server = createServer(SERVER_OPTIONS, (request, response) => {
      if (!broken.isOpen(response)) return void request.resume();
      if (request.method === 'POST' && request.url === DISPATCH_PATH) this.take(request, response);
      else fallThrough(request, response);
    });
    broken.watch(server);
    server.on('connection', (socket: Socket) => {
      this.connections.add(socket);
      socket.on('close', () => {
        this.connections.delete(socket);
        this.onChange();
      });
    });
    return server;
  }

  /** Dispatches that run. */
  get size(): number {
    return this.running.size;
  }

  /**
   * New dispatches are refused, so that gateways take another replica; running ones end by themselves within `graceMs`,
   * or are cut. Resolves when no connection is left.
   */
  async drain(graceMs: number): Promise<void> {
    this.draining = true;
    await this.quiet(graceMs);
    for (const answer of this.running) answer.cut();
    if (this.running.size > 0) await this.quiet(CUT_GRACE_MS);
    for (const socket of this.connections) socket.destroy();
    await this.quiet(CUT_GRACE_MS);
  }

  private take(request: IncomingMessage, response: ServerResponse): void {
    const bytes = Number(request.headers['content-length'] ?? Number.NaN);
    let held = 0;
    const answer = new DispatchAnswer({ response, onBodyFree: () => (this.bufferedBytes -= held), onClosed: () => this.delete(answer) });
    this.add(answer);
    const refusal = this.refusalOf(request, bytes);
    if (refusal) return this.refuse(answer, refusal);
    held = bytes;
    this.bufferedBytes += bytes;
    receive(request, bytes, (dispatch) => this.dispatch(answer, dispatch));
  }

  /** By the head alone, before a byte is read. */
  private refusalOf({ headers }: IncomingMessage, bytes: number): readonly [DispatchRefusal, string] | undefined {
    const { secret, bodyBytes, bufferedBodyBytes } = this.options;
    if (!secret.matches(headers.authorization)) return ['wrong_secret', 'This listener is for the services of the deployment: the internal secret is missing or is another one.'];
    if (this.draining) return ['not_serving', 'This adapter stops.'];
    if (Number.isNaN(bytes)) return ['malformed_dispatch', 'A dispatch says its length.'];
    if (bytes > LENGTH_BYTES + MAX_HEAD_BYTES + bodyBytes) return ['body_too_large', `A request body has at most ${bodyBytes} bytes here.`];
    if (this.bufferedBytes + bytes > bufferedBodyBytes) return ['not_serving', 'Too many large requests at a time.'];
    return undefined;
  }

  private dispatch(answer: DispatchAnswer, bytes: Buffer): void {
    if (answer.over) return;
    const { head, body, fault } = readDispatch(bytes);
    if (fault !== undefined) return this.refuse(answer, ['malformed_dispatch', fault]);
    try {
      answer.begin(this.options.adapter.dispatch(head, body, answer));
    } catch (cause) {
      answer.onFailure({ code: 'internal_error', sent: true, upstreamId: undefined, cause });
    }
  }

  private refuse(answer: DispatchAnswer, [refusal, message]: readonly [DispatchRefusal, string]): void {
    if (refusal !== 'not_serving') this.options.logger.warn({ refusal, cause: message }, 'dispatch refused');
    answer.refuse(refusal, message);
  }

  private add(answer: DispatchAnswer): void {
    this.running.add(answer);
    this.signTimer ??= setInterval(() => this.showLife(), this.options.signOfLifeMs ?? SIGN_OF_LIFE_MS);
  }

  private showLife(): void {
    for (const answer of this.running) answer.showLife();
  }

  private delete(answer: DispatchAnswer): void {
    this.running.delete(answer);
    if (this.running.size === 0) {
      clearInterval(this.signTimer);
      this.signTimer = undefined;
    }
    this.onChange();
  }

  /** Resolves when nothing runs and nobody is connected, or when the time is up. */
  private quiet(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.onChange = () => undefined;
        resolve();
      };
      const timer = setTimeout(end, timeoutMs);
      this.onChange = () => {
        if (this.running.size === 0 && this.connections.size === 0) end();
      };
      this.onChange();
    });
  }
}

/** Nothing was begun. A dispatch that did not come in time ends with its connection. */
function refusalOfBroken({ code }: NodeJS.ErrnoException): string | undefined {
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? undefined : 'HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n';
}

/** A whole request of a known length, in one buffer; one that breaks off is not heard of again. */
function receive(request: IncomingMessage, bytes: number, take: (whole: Buffer) => void): void {
  let whole: Buffer | undefined = Buffer.allocUnsafeSlow(bytes);
  let at = 0;
  request.on('data', (chunk: Buffer) => {
    if (whole) at += chunk.copy(whole, at);
  });
  request.on('end', () => {
    const received = whole;
    // The listeners live as long as the answer; the bytes must not.
    whole = undefined;
    if (received) take(received);
  });
}

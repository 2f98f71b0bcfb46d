import { Pool, errors } from 'undici';
import type { Dispatcher } from 'undici';
import type { UpstreamClient, UpstreamExchange, UpstreamFailure, UpstreamHandler, UpstreamRequest } from './upstream-client.js';

export interface UndiciUpstreamClientOptions {
  /** Most connections to one origin: a cap on concurrent streams. */
  connectionsPerOrigin: number;
  connectTimeoutMs: number;
}

/** Bodies below this are joined to one buffer: one write is cheaper than several. */
const JOIN_BELOW_BYTES = 65_536;
/** More origins than any deployment has; beyond, the least recently made one is closed. */
const MAX_ORIGINS = 256;

/** `UpstreamClient` over undici's dispatcher: one pool per origin, no pipelining, no streams in between. */
export class UndiciUpstreamClient implements UpstreamClient {
  private readonly pools = new Map<string, Pool>();

  constructor(private readonly options: UndiciUpstreamClientOptions) {}

  send(request: UpstreamRequest, handler: UpstreamHandler): UpstreamExchange {
    const exchange = new UndiciExchange(handler);
    this.poolOf(request.origin).dispatch(
      {
        path: request.path,
        method: 'POST',
        headers: request.headers as string[],
        body: writeBody(request),
        headersTimeout: request.headTimeoutMs,
        bodyTimeout: request.idleTimeoutMs,
      },
      exchange,
    );
    return exchange;
  }

  async close(): Promise<void> {
    const pools = [...this.pools.values()];
    this.pools.clear();
    await Promise.all(pools.map((pool) => pool.destroy()));
  }

  private poolOf(origin: string): Pool {
    const known = this.pools.get(origin);
    if (known) return known;
    if (this.pools.size >= MAX_ORIGINS) this.dropOldest();
    const pool = new Pool(origin, {
      connections: this.options.connectionsPerOrigin,
      pipelining: 1,
      connect: { timeout: this.options.connectTimeoutMs },
      keepAliveTimeout: 10_000,
    });
    this.pools.set(origin, pool);
    return pool;
  }

  private dropOldest(): void {
    const [origin, pool] = this.pools.entries().next().value ?? [];
    if (origin === undefined || pool === undefined) return;
    this.pools.delete(origin);
    void pool.close();
  }
}

function writeBody(request: UpstreamRequest): Dispatcher.DispatchOptions['body'] {
  const { body, bodyBytes } = request;
  if (body.length === 1) return body[0];
  if (bodyBytes < JOIN_BELOW_BYTES) return Buffer.concat(body, bodyBytes);
  // undici takes any iterable of buffers, but its types only know streams.
  return body as unknown as Dispatcher.DispatchOptions['body'];
}

/** Between undici's handler and ours; also the controller of the running request. */
class UndiciExchange implements Dispatcher.DispatchHandler, UpstreamExchange {
  private controller: Dispatcher.DispatchController | undefined;
  private aborted = false;
  private paused = false;
  private ended = false;

  constructor(private readonly handler: UpstreamHandler) {}

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    if (this.aborted) controller.abort(new errors.RequestAbortedError());
    else if (this.paused) controller.pause();
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: Record<string, string | string[] | undefined>): void {
    if (status >= 200) this.handler.onHead(status, headers);
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.handler.onData(chunk);
  }

  onResponseEnd(): void {
    if (this.ended) return;
    this.ended = true;
    this.handler.onEnd();
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    if (this.ended) return;
    this.ended = true;
    const sent = this.controller !== undefined;
    this.handler.onError(this.aborted ? 'aborted' : sent ? readFailure(error) : 'connect', sent, error);
  }

  pause(): void {
    this.paused = true;
    this.controller?.pause();
  }

  resume(): void {
    this.paused = false;
    this.controller?.resume();
  }

  abort(): void {
    if (this.ended || this.aborted) return;
    this.aborted = true;
    this.controller?.abort(new errors.RequestAbortedError());
  }
}

function readFailure(error: Error): UpstreamFailure {
  return error instanceof errors.HeadersTimeoutError || error instanceof errors.BodyTimeoutError ? 'timeout' : 'broken';
}

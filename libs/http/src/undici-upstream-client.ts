import { Pool, errors } from 'undici';
import type { Dispatcher, buildConnector } from 'undici';
import { IdleWatch } from './idle-watch.js';
import type { Watched } from './idle-watch.js';
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
/** What a paused answer may still take from its socket, beside the read that is under way (64 KiB): a stalled client costs no more. */
const READ_AHEAD_BYTES = 16_384;

/** `UpstreamClient` over undici's dispatcher: one pool per origin, no pipelining, no streams in between. */
export class UndiciUpstreamClient implements UpstreamClient {
  private readonly pools = new Map<string, Pool>();
  private readonly idleWatch = new IdleWatch();

  constructor(private readonly options: UndiciUpstreamClientOptions) {}

  send(request: UpstreamRequest, handler: UpstreamHandler): UpstreamExchange {
    const slices = [...request.body];
    const exchange = new UndiciExchange({ handler, request, slices, idleWatch: this.idleWatch });
    this.poolOf(request.origin).dispatch(
      {
        path: request.path,
        method: 'POST',
        headers: request.headers as string[],
        body: writeBody(slices, request.bodyBytes),
        // The exchange watches its deadlines by itself.
        headersTimeout: 0,
        bodyTimeout: 0,
      },
      exchange,
    );
    return exchange;
  }

  async close(): Promise<void> {
    const pools = [...this.pools.values()];
    this.pools.clear();
    this.idleWatch.close();
    await Promise.all(pools.map((pool) => pool.destroy()));
  }

  private poolOf(origin: string): Pool {
    const known = this.pools.get(origin);
    if (known) return known;
    if (this.pools.size >= MAX_ORIGINS) this.dropOldest();
    const pool = new Pool(origin, {
      connections: this.options.connectionsPerOrigin,
      pipelining: 1,
      connect: { timeout: this.options.connectTimeoutMs, highWaterMark: READ_AHEAD_BYTES } as buildConnector.BuildOptions,
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

function writeBody(slices: Buffer[], bodyBytes: number): Dispatcher.DispatchOptions['body'] {
  if (bodyBytes < JOIN_BELOW_BYTES) return slices.length === 1 ? slices[0] : Buffer.concat(slices, bodyBytes);
  // undici takes any iterable of buffers, but its types only know streams.
  return takeAll(slices) as unknown as Dispatcher.DispatchOptions['body'];
}

/** undici keeps the body of a request until its answer has ended; this one is empty once it has been written. */
function* takeAll(slices: Buffer[]): Generator<Buffer> {
  for (let slice = slices.shift(); slice !== undefined; slice = slices.shift()) yield slice;
}

interface UndiciExchangeOptions {
  handler: UpstreamHandler;
  request: UpstreamRequest;
  /** What is left of the body to be written. */
  slices: Buffer[];
  idleWatch: IdleWatch;
}

/** Between undici's handler and ours; also the controller of the running request. */
class UndiciExchange implements Dispatcher.DispatchHandler, UpstreamExchange, Watched {
  slot = -1;
  silentAtTick = 0;
  private readonly headTimeoutMs: number;
  private readonly idleTimeoutMs: number;
  private readonly interimHeadsCount: boolean;
  private controller: Dispatcher.DispatchController | undefined;
  private failure: UpstreamFailure | undefined;
  private headArrived = false;
  private paused = false;
  private ended = false;

  private readonly handler: UpstreamHandler;
  private readonly slices: Buffer[];
  private readonly idleWatch: IdleWatch;

  constructor({ handler, request, slices, idleWatch }: UndiciExchangeOptions) {
    this.handler = handler;
    this.slices = slices;
    this.idleWatch = idleWatch;
    this.headTimeoutMs = request.headTimeoutMs;
    this.idleTimeoutMs = request.idleTimeoutMs;
    this.interimHeadsCount = request.interimHeadsCount === true;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    if (this.failure) return controller.abort(new errors.RequestAbortedError());
    this.idleWatch.add(this, this.headTimeoutMs);
    if (this.paused) controller.pause();
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: Record<string, string | string[] | undefined>): void {
    if (status < 200) return this.interimHead();
    this.headArrived = true;
    this.showLife();
    this.handler.onHead(status, headers);
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.showLife();
    this.handler.onData(chunk);
  }

  onResponseEnd(_controller: Dispatcher.DispatchController, trailers: Record<string, string | string[] | undefined>): void {
    if (this.ended) return;
    this.end();
    this.handler.onEnd(trailers);
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    if (this.ended) return;
    this.end();
    const sent = this.controller !== undefined;
    this.handler.onError(this.failure ?? (sent ? 'broken' : 'connect'), sent, error);
  }

  pause(): void {
    this.paused = true;
    if (this.headArrived) this.idleWatch.suspend(this);
    this.controller?.pause();
  }

  resume(): void {
    this.paused = false;
    this.showLife();
    this.controller?.resume();
  }

  abort(): void {
    this.giveUp('aborted', new errors.RequestAbortedError());
  }

  timedOut(): void {
    this.giveUp('timeout', this.headArrived ? new errors.BodyTimeoutError() : new errors.HeadersTimeoutError());
  }

  private giveUp(failure: UpstreamFailure, error: Error): void {
    if (this.ended || this.failure) return;
    this.failure = failure;
    this.slices.length = 0;
    this.controller?.abort(error);
  }

  private interimHead(): void {
    if (this.interimHeadsCount && !this.ended) this.idleWatch.touch(this, this.headTimeoutMs);
  }

  /** What stands still because we asked for it is not silent. */
  private showLife(): void {
    if (!this.headArrived) return;
    if (this.paused) this.idleWatch.suspend(this);
    else this.idleWatch.touch(this, this.idleTimeoutMs);
  }

  private end(): void {
    this.ended = true;
    this.slices.length = 0;
    this.idleWatch.delete(this);
  }
}

import type { AddressRing, UpstreamExchange, UpstreamFailure, UpstreamHandler } from '@tokone/http';
import { traceparentOf } from '@tokone/protocol';
import type { AdapterFailure, AnswerHandler, DispatchHead, RunningDispatch } from './adapter.js';
import { DISPATCH_PATH, SIGN_OF_LIFE_MS, WHOLE, WIRE_HEADER, readAnswerHead, readFailure, writeDispatchHead } from './dispatch-wire.js';
import { firstOf } from './headers.js';
import type { HttpAdapterOptions } from './http-adapter.js';

interface HttpDispatchOptions extends HttpAdapterOptions {
  head: DispatchHead;
  handler: AnswerHandler;
  ring: AddressRing;
}

/** So many signs of life are missing before an adapter counts as frozen. */
const SIGNS_MISSED = 4;

type WireHeaders = Record<string, string | string[] | undefined>;

/** One dispatch on its way through the replicas of an adapter service. It never throws; every path ends in the handler, once. */
export class HttpDispatch implements RunningDispatch, UpstreamHandler {
  private exchange: UpstreamExchange | undefined;
  private readonly addresses: readonly string[];
  private readonly prefix: Buffer;
  private attempt = 0;
  private attemptId = 0;
  private upstreamId: string | undefined;
  private ended = false;
  private paused = false;

  /** `body` is let go of before the handler hears that nothing will be sent any more. */
  constructor(
    private readonly options: HttpDispatchOptions,
    private body: Buffer | undefined,
  ) {
    this.addresses = options.ring.order();
    this.prefix = writeDispatchHead(options.head);
  }

  begin(): void {
    this.tryNext(undefined);
  }

  pause(): void {
    this.paused = true;
    this.exchange?.pause();
  }

  resume(): void {
    this.paused = false;
    this.exchange?.resume();
  }

  abort(): void {
    if (this.ended) return;
    const left = this.leaveAttempt();
    this.end();
    left?.abort();
    // What an adapter has taken by now nobody here knows.
    this.options.handler.onFailure({ code: 'aborted', sent: left !== undefined, upstreamId: this.upstreamId, cause: undefined });
  }

  onHead(status: number, headers: WireHeaders): void {
    const refusal = firstOf(headers[WIRE_HEADER.refusal]);
    if (refusal !== undefined) return this.refused(refusal);
    const answer = status === 200 ? firstOf(headers[WIRE_HEADER.answer]) : undefined;
    if (answer !== undefined) return this.commit(answer);
    const failure = readFailure(firstOf(headers[WIRE_HEADER.failure]) ?? '');
    this.drainAttempt();
    this.fail(failure ?? this.broken(`the adapter answered with status ${status} and neither answer nor failure`));
  }

  onData(bytes: Buffer): void {
    this.options.handler.onData(bytes);
  }

  onEnd(trailers: WireHeaders = {}): void {
    const failure = firstOf(trailers[WIRE_HEADER.failure]);
    if (failure !== undefined) return this.fail(readFailure(failure) ?? this.broken('the adapter ended its answer with a failure that cannot be read'));
    if (trailers[WIRE_HEADER.end] !== WHOLE) return this.fail(this.broken('the answer of the adapter was cut'));
    this.end();
    this.options.handler.onEnd();
  }

  onError(failure: UpstreamFailure, sent: boolean, cause: unknown): void {
    if (!sent) return this.tryNext(cause);
    this.rest();
    this.fail({ ...this.broken(cause), ...(failure === 'timeout' && { code: 'upstream_timeout' as const }) });
  }

  private get address(): string | undefined {
    return this.addresses[this.attempt - 1];
  }

  /** `cause`: why the replica before took nothing. */
  private tryNext(cause: unknown): void {
    if (cause !== undefined) this.rest();
    this.leaveAttempt();
    const origin = this.addresses[this.attempt++];
    if (origin === undefined) return this.fail({ code: 'not_ready', sent: false, upstreamId: undefined, cause: new Error(`no adapter takes requests; the last one said: ${String(cause)}`) });
    this.send(origin);
  }

  private send(origin: string): void {
    const { head, client, secret, silenceTimeoutMs: headTimeoutMs = SIGNS_MISSED * SIGN_OF_LIFE_MS, idleTimeoutMs } = this.options;
    const { attemptId, prefix } = this;
    const body = this.body ?? Buffer.alloc(0);
    const bodyBytes = prefix.length + body.length;
    const headers = ['authorization', `Bearer ${secret}`, 'content-type', 'application/octet-stream', 'content-length', String(bodyBytes)];
    headers.push('traceparent', head.traceparent ?? traceparentOf(head.requestId), WIRE_HEADER.deadlineMs, String(headTimeoutMs));
    const exchange = client.send({ origin, path: DISPATCH_PATH, headers, body: [prefix, body], bodyBytes, headTimeoutMs, idleTimeoutMs, interimHeadsCount: true }, this.guard());
    // It may have failed within the call, and the next one may be on its way already.
    if (attemptId !== this.attemptId || this.ended) return;
    this.exchange = exchange;
    if (this.paused) exchange.pause();
  }

  private guard(): UpstreamHandler {
    const attemptId = this.attemptId;
    const live = () => attemptId === this.attemptId && !this.ended;
    return {
      onHead: (status, headers) => live() && this.onHead(status, headers),
      onData: (bytes) => live() && this.onData(bytes),
      onEnd: (trailers) => live() && this.onEnd(trailers),
      onError: (failure, sent, cause) => live() && this.onError(failure, sent, cause),
    };
  }

  private commit(text: string): void {
    this.body = undefined;
    const answer = readAnswerHead(text);
    if (!answer) {
      this.leaveAttempt()?.abort();
      return this.fail(this.broken('the head of the answer cannot be read'));
    }
    this.upstreamId = answer.upstreamId;
    this.options.handler.onHead(answer);
  }

  /** Nothing was sent to a provider. Another replica may serve; none will read a request better. */
  private refused(refusal: string): void {
    const cause = new Error(`the adapter at ${this.address} refused: ${refusal}`);
    this.drainAttempt();
    if (refusal === 'not_serving' || refusal === 'wrong_secret') this.tryNext(cause);
    else this.fail({ code: 'internal_error', sent: false, upstreamId: undefined, cause });
  }

  /** A few bytes may still come; once they are read the connection can serve again. */
  private drainAttempt(): void {
    const left = this.leaveAttempt();
    if (this.paused) left?.resume();
  }

  /** Late calls of an attempt that was left go nowhere. */
  private leaveAttempt(): UpstreamExchange | undefined {
    const left = this.exchange;
    this.attemptId++;
    this.exchange = undefined;
    return left;
  }

  private rest(): void {
    if (this.address !== undefined) this.options.ring.rest(this.address);
  }

  private broken(cause: unknown): AdapterFailure {
    return { code: 'upstream_failed', sent: true, upstreamId: this.upstreamId, cause };
  }

  private end(): void {
    this.ended = true;
    this.body = undefined;
  }

  private fail(failure: AdapterFailure): void {
    if (this.ended) return;
    this.end();
    this.options.handler.onFailure(failure);
  }
}

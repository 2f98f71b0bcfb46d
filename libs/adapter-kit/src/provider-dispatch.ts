import type { Upstream } from '@tokone/account-client';
import type { UpstreamExchange, UpstreamFailure, UpstreamHandler, UpstreamRequest } from '@tokone/http';
import { editBody } from '@tokone/protocol';
import { noTracing, noUpstreamMetrics } from '@tokone/telemetry';
import type { UpstreamOutcome } from '@tokone/telemetry';
import type { AnswerHandler, DispatchHead, RunningDispatch } from './adapter.js';
import { AttemptMeasure } from './attempt-measure.js';
import { allowedAnswerHeaders, firstOf } from './headers.js';
import type { ProviderAdapterOptions } from './provider-adapter.js';

interface ProviderDispatchOptions extends ProviderAdapterOptions {
  head: DispatchHead;
  handler: AnswerHandler;
}

/** Answers after which another upstream may do better. */
const FAILOVER_STATUS = new Set([401, 402, 403, 408, 429, 500, 502, 503, 504, 529]);
/** An error as the first event of a stream, or as the first element of Gemini's array. */
const ERROR_EVENT = /^(?:event: ?error|(?:data: ?|\[\s*)\{\s*"error")/;
/** So many bytes tell whether it is one. */
const FIRST_EVENT_BYTES = 16;

const EMPTY = Buffer.alloc(0);

/**
 * One request on its way through the upstreams of its group: tries them in order until one answers well or none is
 * left, then commits and passes its bytes on untouched. Nothing is tried again once it has committed.
 */
export class ProviderDispatch implements RunningDispatch, UpstreamHandler {
  private exchange: UpstreamExchange | undefined;
  private upstreams: readonly Upstream[] = [];
  private attempt = 0;
  private attemptId = 0;
  private committed = false;
  private ended = false;
  private paused = false;
  private sent = false;
  /** A stream's head, kept back until its first event shows no error, while another upstream is left to try. */
  private waitingHead: { status: number; headers: Record<string, string | string[] | undefined> } | undefined;
  /** The beginning of that stream; a provider may send it in pieces. */
  private firstBytes: Buffer = EMPTY;
  private readonly measure: AttemptMeasure;

  /** `body` is let go of before the handler hears that nothing will be sent any more. */
  constructor(
    private readonly options: ProviderDispatchOptions,
    private body: Buffer | undefined,
  ) {
    const { metrics = noUpstreamMetrics, tracing = noTracing, head, now } = options;
    this.measure = new AttemptMeasure({ metrics, tracing, head, now });
  }

  begin(upstreams: readonly Upstream[]): void {
    this.upstreams = upstreams;
    if (this.ended) return;
    if (upstreams.length === 0) this.fail('no_upstream', undefined);
    else this.tryNext();
  }

  /** Nobody can be asked where the request should go. */
  failUnsent(cause: unknown): void {
    this.fail('not_ready', cause);
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
    // What the client has written of an attempt that is under way nobody here knows.
    const sent = this.sent || this.exchange !== undefined;
    this.measure.end('cancelled');
    this.leaveAttempt();
    this.end();
    this.options.handler.onFailure({ code: 'aborted', sent, upstreamId: this.current?.upstreamId, cause: undefined });
  }

  onHead(status: number, headers: Record<string, string | string[] | undefined>): void {
    this.sent = true;
    this.measure.head(status);
    if (this.hasNext && FAILOVER_STATUS.has(status)) this.failOver();
    else if (this.hasNext && this.options.head.streamed && status === 200) this.waitingHead = { status, headers };
    else this.commit(status, headers);
  }

  onData(bytes: Buffer): void {
    if (!this.waitingHead) return this.pass(bytes);
    this.firstBytes = this.firstBytes.length === 0 ? bytes : Buffer.concat([this.firstBytes, bytes]);
    if (ERROR_EVENT.test(this.firstBytes.toString('latin1', 0, 64))) this.failOver('error_event');
    else if (this.firstBytes.length >= FIRST_EVENT_BYTES) this.commitWaiting();
  }

  onEnd(): void {
    this.commitWaiting();
    if (this.ended) return;
    this.measure.end();
    this.end();
    this.options.handler.onEnd();
  }

  onError(failure: UpstreamFailure, sent: boolean, cause: unknown): void {
    this.sent ||= sent;
    const outcome = failure === 'timeout' ? 'timeout' : 'broken';
    if (!this.committed && this.hasNext) return this.failOver(outcome);
    this.measure.end(outcome);
    this.fail(failure === 'timeout' ? 'upstream_timeout' : 'upstream_failed', cause);
  }

  private get current(): Upstream | undefined {
    return this.upstreams[this.attempt - 1];
  }

  private get hasNext(): boolean {
    return this.attempt < this.upstreams.length;
  }

  /** `outcome` of the attempt that is left; default by its status. */
  private failOver(outcome?: UpstreamOutcome): void {
    this.measure.end(outcome);
    this.measure.failOver();
    this.tryNext();
  }

  private tryNext(): void {
    this.leaveAttempt();
    const upstream = this.upstreams[this.attempt++];
    if (!upstream) return;
    this.measure.begin(upstream);
    let request: UpstreamRequest;
    try {
      request = this.requestTo(upstream, this.body ?? EMPTY);
    } catch (cause) {
      // An upstream that is set up wrongly must not take the others with it.
      return this.onError('connect', false, cause);
    }
    this.send(request);
  }

  /** Late calls of an attempt that was left go nowhere. */
  private leaveAttempt(): void {
    this.attemptId++;
    this.waitingHead = undefined;
    this.firstBytes = EMPTY;
    const left = this.exchange;
    this.exchange = undefined;
    left?.abort();
  }

  private send(request: UpstreamRequest): void {
    const { attemptId } = this;
    const exchange = this.options.client.send(request, this.guard());
    // It may have failed within the call, and the next one may be on its way already.
    if (attemptId !== this.attemptId) return;
    this.exchange = exchange;
    if (this.paused) exchange.pause();
  }

  private requestTo(upstream: Upstream, original: Buffer): UpstreamRequest {
    const { provider, head } = this.options;
    const model = upstream.modelMapping.get(head.model) ?? head.model;
    const body = editBody(original, head.facts, {
      ...(head.facts.model !== undefined && model !== head.model && { model }),
      ...(provider.asksForUsage && head.streamed && head.facts.includeUsage !== true && { includeUsage: true as const }),
      ...(provider.removesStreamMember && head.facts.streamMemberSpan && { removeStream: true as const }),
      ...(head.outputLimit !== undefined && { outputLimit: { name: provider.outputLimitField, tokens: head.outputLimit } }),
    });
    const bodyBytes = body.reduce((sum, slice) => sum + slice.length, 0);
    const url = splitBaseUrl(upstream.baseUrl);
    return {
      origin: url.origin,
      path: url.prefix + provider.path(head, model),
      headers: this.writeHeaders(upstream, bodyBytes),
      body,
      bodyBytes,
      headTimeoutMs: head.streamed ? this.options.streamTimeoutMs : this.options.answerTimeoutMs,
      idleTimeoutMs: this.options.idleTimeoutMs,
    };
  }

  private guard(): UpstreamHandler {
    const attemptId = this.attemptId;
    const live = () => attemptId === this.attemptId && !this.ended;
    return {
      onHead: (status, headers) => live() && this.onHead(status, headers),
      onData: (bytes) => live() && this.onData(bytes),
      onEnd: () => live() && this.onEnd(),
      onError: (failure, sent, cause) => live() && this.onError(failure, sent, cause),
    };
  }

  private writeHeaders(upstream: Upstream, bodyBytes: number): string[] {
    const { provider, head } = this.options;
    const headers = ['content-type', 'application/json', 'accept-encoding', 'identity', 'content-length', String(bodyBytes)];
    headers.push(...provider.authorize(upstream.credential), ...head.headers);
    const isSent = (wanted: string) => head.headers.some((name, index) => index % 2 === 0 && name === wanted);
    for (const [name, value] of Object.entries(provider.defaultHeaders)) if (!isSent(name)) headers.push(name, value);
    return headers;
  }

  private commitWaiting(): void {
    const { waitingHead, firstBytes } = this;
    if (!waitingHead) return;
    this.waitingHead = undefined;
    this.firstBytes = EMPTY;
    this.commit(waitingHead.status, waitingHead.headers);
    if (!this.ended && firstBytes.length > 0) this.pass(firstBytes);
  }

  private pass(bytes: Buffer): void {
    this.measure.bytes();
    this.options.handler.onData(bytes);
  }

  private commit(status: number, headers: Record<string, string | string[] | undefined>): void {
    this.committed = true;
    this.body = undefined;
    const { provider, handler } = this.options;
    // Refused rather than relayed: the answer could not be metered.
    const encoding = firstOf(headers['content-encoding']);
    if ((encoding !== undefined && encoding !== 'identity') || (status >= 300 && status < 400)) {
      this.measure.end('broken');
      this.leaveAttempt();
      return this.fail('upstream_failed', unmeterable(status, encoding));
    }
    handler.onHead({
      status,
      headers: allowedAnswerHeaders(headers),
      dialect: provider.dialect,
      upstreamId: this.current?.upstreamId ?? '',
      upstreamRequestId: firstOf(headers[provider.requestIdHeader])?.slice(0, 200),
      attempts: this.attempt,
    });
  }

  private end(): void {
    this.ended = true;
    this.body = undefined;
  }

  private fail(code: 'upstream_failed' | 'upstream_timeout' | 'no_upstream' | 'not_ready', cause: unknown): void {
    if (this.ended) return;
    this.end();
    this.options.handler.onFailure({ code, sent: this.sent, upstreamId: this.current?.upstreamId, cause });
  }
}

/** The encodings that the log names; what else a provider writes there may be anything, the credential that it was sent included. */
const ENCODINGS = ['gzip', 'br', 'deflate', 'zstd', 'identity'];

function unmeterable(status: number, encoding: string | undefined): Error {
  if (encoding === undefined) return new Error(`upstream answered with status ${status}`);
  return new Error(`upstream answered with status ${status}, content-encoding ${ENCODINGS.includes(encoding) ? encoding : 'of another name'}`);
}

const baseUrls = new Map<string, { origin: string; prefix: string }>();

/** `https://host/base` → origin and path prefix. Base URLs are few; parsing one costs more than a look-up. */
function splitBaseUrl(baseUrl: string): { origin: string; prefix: string } {
  const known = baseUrls.get(baseUrl);
  if (known) return known;
  const url = new URL(baseUrl);
  const split = { origin: url.origin, prefix: url.pathname.replace(/\/+$/, '') };
  if (baseUrls.size >= 1024) baseUrls.clear();
  baseUrls.set(baseUrl, split);
  return split;
}

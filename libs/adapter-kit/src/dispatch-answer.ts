import type { ServerResponse } from 'node:http';
import type { AdapterFailure, AnswerHandler, AnswerHead, RunningDispatch } from './adapter.js';
import { WHOLE, WIRE_HEADER, writeAnswerHead, writeFailure } from './dispatch-wire.js';
import type { DispatchRefusal } from './dispatch-wire.js';

export interface DispatchAnswerOptions {
  response: ServerResponse;
  /** The body of the request is not needed any more. Called once. */
  onBodyFree: () => void;
  /** The answer has left, or its connection is gone. Called once. */
  onClosed: (answer: DispatchAnswer) => void;
}

const STATUS_OF_REFUSAL: Readonly<Record<DispatchRefusal, number>> = { malformed_dispatch: 400, wrong_secret: 401, body_too_large: 413, not_serving: 503 };
const TRAILERS = `${WIRE_HEADER.end}, ${WIRE_HEADER.failure}`;

/** Writes what a dispatch brings into the response to the gateway, with back-pressure; a gateway that leaves cancels it. */
export class DispatchAnswer implements AnswerHandler {
  /** Of the front's list. */
  slot = -1;
  private dispatch: RunningDispatch | undefined;
  private reads: Buffer[] = [];
  private turnQueued = false;
  private paused = false;
  private stopping = false;
  private ended = false;
  private bodyFree = false;
  private readonly response: ServerResponse;

  constructor(private readonly options: DispatchAnswerOptions) {
    this.response = options.response;
    this.response.on('drain', () => this.drained());
    this.response.on('close', () => this.closed());
    // The close that follows says all.
    this.response.on('error', () => undefined);
  }

  /** Nobody waits for this answer any more. */
  get over(): boolean {
    return this.ended;
  }

  begin(dispatch: RunningDispatch): void {
    this.dispatch = dispatch;
    if (this.ended) dispatch.abort();
  }

  onHead(head: AnswerHead): void {
    this.freeBody();
    if (this.ended) return;
    this.response.sendDate = false;
    this.response.writeHead(200, { [WIRE_HEADER.answer]: writeAnswerHead(head), trailer: TRAILERS });
    this.queueTurn();
  }

  onData(bytes: Buffer): void {
    if (this.ended) return;
    this.reads.push(bytes);
    this.queueTurn();
  }

  onEnd(): void {
    this.finish(WIRE_HEADER.end, WHOLE);
  }

  onFailure(failure: AdapterFailure): void {
    this.freeBody();
    if (this.ended) return;
    const told: AdapterFailure = failure.code === 'aborted' && this.stopping ? { ...failure, code: 'upstream_failed', cause: 'the adapter had to stop' } : failure;
    if (this.response.headersSent) return this.finish(WIRE_HEADER.failure, writeFailure(told));
    if (this.stopping && !failure.sent) return this.refuse('not_serving', 'This adapter stops.');
    this.ended = true;
    this.response.writeHead(200, { [WIRE_HEADER.failure]: writeFailure(told), 'content-length': 0 }).end();
  }

  /** Nothing was sent to a provider, and nothing will be. The message says what to do. */
  refuse(refusal: DispatchRefusal, message: string): void {
    this.freeBody();
    if (this.ended) return;
    this.ended = true;
    const { response } = this;
    const body = JSON.stringify({ error: { code: refusal, message } });
    const headers = { [WIRE_HEADER.refusal]: refusal, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), connection: 'close' };
    const answer = (): void => void response.writeHead(STATUS_OF_REFUSAL[refusal], headers).end(body);
    // A connection that closes on unread bytes is reset, and the reset may overtake the answer. A stranger's bytes are not waited for.
    if (refusal !== 'not_serving' || response.req.complete) answer();
    else response.req.on('end', answer).resume();
  }

  /** The provider is still awaited. */
  showLife(): void {
    if (!this.ended && !this.response.headersSent) this.response.writeProcessing();
  }

  /** The adapter stops: the gateway is told what became of its request. */
  cut(): void {
    if (this.ended) return;
    this.stopping = true;
    if (this.dispatch) this.dispatch.abort();
    else this.refuse('not_serving', 'This adapter stops.');
  }

  /** Many small pieces can come in one read of a socket; they leave in one write. */
  private queueTurn(): void {
    if (this.turnQueued) return;
    this.turnQueued = true;
    process.nextTick(takeTurn, this);
  }

  turn(): void {
    this.turnQueued = false;
    if (this.ended) return;
    if (this.reads.length === 0) this.response.flushHeaders();
    else this.flush();
  }

  private flush(): void {
    const { reads } = this;
    if (reads.length === 0) return;
    this.reads = [];
    if (this.response.write(reads.length === 1 ? reads[0] : Buffer.concat(reads)) || this.paused) return;
    this.paused = true;
    this.dispatch?.pause();
  }

  private drained(): void {
    if (!this.paused) return;
    this.paused = false;
    this.dispatch?.resume();
  }

  private finish(trailer: string, value: string): void {
    if (this.ended) return;
    this.flush();
    this.ended = true;
    this.response.addTrailers({ [trailer]: value });
    this.response.end();
  }

  private closed(): void {
    const left = !this.ended;
    this.ended = true;
    this.reads = [];
    if (left) this.dispatch?.abort();
    this.freeBody();
    this.options.onClosed(this);
  }

  private freeBody(): void {
    if (this.bodyFree) return;
    this.bodyFree = true;
    this.options.onBodyFree();
  }
}

function takeTurn(answer: DispatchAnswer): void {
  answer.turn();
}

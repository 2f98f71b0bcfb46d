import type { KeyRecord } from '@tokone/account-client';
import type { AdapterFailure, AnswerHandler, AnswerHead } from '@tokone/adapter-kit';
import type { UsageOutcome } from '@tokone/events';
import { SPOOL_RECORD } from '@tokone/events';
import { GatewayError, scanAnswer } from '@tokone/protocol';
import type { AnswerFraming, AnswerScanner, BodyFacts, Dialect } from '@tokone/protocol';
import type { GatewayMetrics, Span, Tracing } from '@tokone/telemetry';
import type { ClientAnswer } from './client-answer.js';
import { closeExchange, notRecorded } from './exchange-close.js';
import type { GatewayLimits, GatewayPorts } from './gateway-context.js';
import { HoldKeeper } from './hold-keeper.js';
import { HoldWatch } from './hold-watch.js';
import { outputTokens, tokensReadSoFar } from './measured-usage.js';
import { dispatchHead } from './dispatch-head.js';
import type { RequestPlan } from './request-plan.js';
import { endExchangeSpan } from './request-span.js';
import type { RunningExchanges } from './running-exchanges.js';
import { UnpaidOutput } from './unpaid-output.js';
import { UpstreamFlow } from './upstream-flow.js';
import { KeptRefusal, failureOf, refusalOf } from './upstream-refusal.js';

/** An admitted request: the hold is taken, OPEN is not written yet. */
export interface AdmittedRequest {
  requestId: string;
  /** While it is recorded; ended with the exchange. */
  span: Span | undefined;
  key: KeyRecord;
  dialect: Dialect;
  facts: BodyFacts;
  plan: RequestPlan;
  hold: { holdNanoUsd: bigint; extendable: boolean; whole: boolean };
  /** Written into the upstream request, because the balance bounds the output. */
  outputLimit: number | undefined;
  /** Allow-listed headers for the provider. */
  headers: readonly string[];
  requestBytes: number;
  startedAtMs: number;
  /** The body is no longer in memory. Idempotent. */
  releaseBody: () => void;
}

export interface ExchangeContext {
  ports: GatewayPorts;
  limits: GatewayLimits;
  running: RunningExchanges;
  metrics: GatewayMetrics;
  tracing: Tracing;
}

/** A PROGRESS record is due after this many tokens or this long. */
const PROGRESS_TOKENS = 512;
const PROGRESS_MS = 2_000;
/** Bytes that wait for the spool or an extension; beyond it the upstream is paused. */
const MAX_WAITING_BYTES = 131_072;
/** While the hold is watched, a read is taken in pieces, so that what is paid for goes out although the rest is not. */
const WATCHED_PIECE_BYTES = 4_096;

/**
 * One request from its OPEN record to its end: passes the provider's bytes on, counts them, keeps the hold ahead of
 * them, and closes the account of it before the client sees the end. Every path ends in `close`, once.
 */
export class Exchange implements AnswerHandler {
  /** Of `RunningExchanges`. */
  slot = -1;
  readonly watch: HoldWatch;
  scanner: AnswerScanner | undefined;
  head: AnswerHead | undefined;
  firstByteAtMs: number | undefined;
  answerBytes = 0;
  /** Something was sent, or recorded as about to be sent. */
  delivered = false;
  outcome: UsageOutcome = 'completed';
  error: GatewayError | undefined;
  closing = false;
  /** The provider's answer is whole, and a part of it waits for the extension that pays for it. */
  private awaitsPayment = false;
  private readonly flow = new UpstreamFlow();
  private framing: AnswerFraming;
  private reads: Buffer[] = [];
  private turnQueued = false;
  private refusal: KeptRefusal | undefined;
  private waiting: Buffer[] = [];
  private waitingBytes = 0;
  private gates = 0;
  private readonly keeper: HoldKeeper;
  private readonly unpaid = new UnpaidOutput();
  private unsent: Buffer[] = [];
  private progressTokens = 0;
  private progressAtMs = 0;
  private absentTimer: NodeJS.Timeout | undefined;
  private finished = false;

  constructor(
    readonly context: ExchangeContext,
    readonly request: AdmittedRequest,
    readonly answer: ClientAnswer,
  ) {
    const { plan, hold } = request;
    this.framing = plan.framing;
    this.watch = new HoldWatch({ ...hold, inputNanoUsd: plan.estimate.inputNanoUsd, outputNanoUsdPerMillion: plan.estimate.outputNanoUsdPerMillion });
    this.keeper = new HoldKeeper({
      watch: this.watch,
      accountId: request.key.accountId,
      requestId: request.requestId,
      admission: context.ports.admission,
      spool: context.ports.spool,
      now: context.ports.monotonicNow,
      tokens: () => outputTokens(this.scanner),
      onPaid: () => this.letPaidGo(),
      onExhausted: () => this.exhausted(),
      onTrouble: (error) => this.fail(error),
    });
  }

  /** OPEN is in the spool: sends the request. The body is given back with its answer's head, or its failure. */
  start(body: Buffer): void {
    const { request, context } = this;
    context.running.add(this);
    const adapter = context.ports.adapters.get(request.key.platform);
    if (!adapter) return this.close('gateway_failed', new GatewayError('no_upstream', `Group "${request.key.groupName}" has no adapter here.`));
    const dispatch = adapter.dispatch(dispatchHead(request), body, this);
    this.flow.begin(dispatch);
    if (this.closing) dispatch.abort();
    if (this.answer.gone) this.clientLeft();
  }

  onHead(head: AnswerHead): void {
    this.head = head;
    this.request.releaseBody();
    if (head.status >= 400) {
      this.refusal = new KeptRefusal();
      return;
    }
    const contentType = head.headers['content-type'] ?? '';
    const { plan, facts, dialect } = this.request;
    this.framing = contentType.startsWith('text/event-stream') ? 'sse' : plan.framing === 'json-array' ? 'json-array' : 'json';
    this.scanner = scanAnswer({
      dialect: head.dialect,
      framing: this.framing,
      removeUsageEvent: dialect === 'openai-chat' && facts.includeUsage !== true,
    });
    const headers = this.request.outputLimit === undefined ? head.headers : { ...head.headers, 'x-tokone-output-limit': String(this.request.outputLimit) };
    this.answer.begin(head.status, headers, this.framing);
  }

  /** One read of the socket can arrive in many pieces; they are looked at together, at the end of this turn. */
  onData(bytes: Buffer): void {
    if (this.closing || this.awaitsPayment) return;
    this.reads.push(bytes);
    if (this.turnQueued) return;
    this.turnQueued = true;
    process.nextTick(takeTurn, this);
  }

  onEnd(): void {
    this.flow.end();
    this.turn();
    if (this.closing || this.awaitsPayment) return;
    if (this.refusal) return this.closeRefused();
    this.scanner?.end();
    if (this.scanner?.errored) this.closeErrored();
    else if (this.scanner?.complete) this.complete(this.scanner);
    else this.close('upstream_failed', failureOf('upstream_failed', this.head !== undefined));
  }

  onFailure(failure: AdapterFailure): void {
    this.flow.end();
    this.turn();
    if (this.closing || this.awaitsPayment) return;
    if (failure.cause !== undefined) this.logUpstreamTrouble(failure);
    const code = failure.code === 'aborted' ? 'upstream_failed' : failure.code;
    this.close('upstream_failed', failureOf(code, this.head !== undefined));
  }

  /** The client takes bytes again. */
  clientDrained(): void {
    this.flow.pause('client', false);
  }

  /** The client went away: the answer is read on and charged, within limits; nothing is extended any more. */
  clientLeft(): void {
    if (this.finished || this.absentTimer !== undefined) return;
    this.dropWaiting();
    this.unpaid.takeAll();
    this.watch.freeze();
    if (this.closing) return;
    if (this.awaitsPayment) return this.close('completed', undefined);
    const { running, limits } = this.context;
    if (!running.enterAbsence(limits.maxAbsent)) return this.close('client_left', undefined);
    this.absentTimer = setTimeout(() => this.close('client_left', undefined), limits.absentTimeoutMs);
    this.flow.resume();
  }

  /** The gateway stops: what was delivered is charged, the client is told. */
  shutDown(): void {
    this.close('gateway_failed', new GatewayError('not_ready', 'TokOne is stopping and had to end this answer. Send the request again.', { retryAfterSeconds: 5 }));
  }

  fail(error: GatewayError): void {
    this.close('gateway_failed', error);
  }

  /** Looks at what was read. Nothing that breaks here may take the other requests of the process along. */
  turn(): void {
    this.turnQueued = false;
    try {
      this.takeReads();
    } catch (cause) {
      this.fail(new GatewayError('internal_error', 'TokOne failed while it passed this answer on. Send the request again.', { cause }));
    }
  }

  private takeReads(): void {
    const { reads } = this;
    if (reads.length === 0 || this.closing || this.awaitsPayment) return;
    this.reads = [];
    const bytes = reads.length === 1 ? (reads[0] as Buffer) : Buffer.concat(reads);
    if (this.refusal) return this.refusal.add(bytes);
    this.firstByteAtMs ??= this.context.ports.now();
    this.answerBytes += bytes.length;
    const pieceBytes = this.watch.watching ? WATCHED_PIECE_BYTES : bytes.length;
    for (let at = 0; at < bytes.length && !this.closing && !this.awaitsPayment; at += pieceBytes) this.takePiece(bytes.subarray(at, at + pieceBytes));
  }

  private takePiece(piece: Buffer): void {
    const { scanner } = this;
    if (!scanner) return;
    scanner.push(piece);
    this.keeper.keepAhead();
    if (this.closing) return;
    if (scanner.complete) this.complete(scanner);
    else if (scanner.overheld) this.close('upstream_failed', failureOf('upstream_failed', true));
    else if (scanner.errored && this.framing !== 'json') this.closeErrored();
    else this.pass(scanner.takeReady());
  }

  /** All that the provider sends is there. What the hold does not pay for waits for its extension first, however late the balance answers. */
  private complete(scanner: AnswerScanner): void {
    this.keeper.keepAhead();
    if (this.closing) return;
    if (this.answer.gone || this.watch.pays(outputTokens(scanner))) return this.close('completed', undefined);
    this.awaitsPayment = true;
    this.flow.linger();
    this.pass(scanner.takeReady());
  }

  private closeRefused(): void {
    const { head } = this;
    if (!head) return;
    const passedOn = this.refusal?.passedOn(head.status);
    if (passedOn) {
      this.answer.begin(head.status, head.headers, 'json');
      this.waiting = passedOn;
      return this.close('upstream_refused', undefined);
    }
    this.logUpstreamTrouble({ code: 'upstream_failed', sent: true, upstreamId: head.upstreamId, cause: `status ${head.status}` });
    this.close('upstream_refused', refusalOf(head));
  }

  /** The provider says itself that its answer failed. */
  private closeErrored(): void {
    this.logUpstreamTrouble({ code: 'upstream_failed', sent: true, upstreamId: this.head?.upstreamId, cause: 'an error inside the answer' });
    this.close('upstream_failed', failureOf('upstream_failed', true));
  }

  private pass(slices: Buffer[]): void {
    if (slices.length === 0 || this.answer.gone) return;
    const tokens = outputTokens(this.scanner);
    if (this.watch.pays(tokens)) return this.forward(slices);
    this.unpaid.add(tokens, slices);
    if (this.unpaid.bytes > MAX_WAITING_BYTES) this.flow.pause('gate', true);
  }

  private letPaidGo(): void {
    if (this.answer.gone) return;
    this.forward(this.unpaid.takePaid((tokens) => this.watch.pays(tokens)));
    if (this.awaitsPayment && this.watch.pays(outputTokens(this.scanner))) this.close('completed', undefined);
  }

  private exhausted(): void {
    if (this.answer.gone) return this.close('client_left', undefined);
    this.close('balance_exhausted', new GatewayError('balance_exhausted', 'The balance is used up, so this answer ends here. Top up to continue.'));
  }

  // ---- bytes to the client

  private forward(slices: Buffer[]): void {
    if (slices.length === 0) return;
    this.waiting.push(...slices);
    for (const slice of slices) this.waitingBytes += slice.length;
    this.recordProgress();
    if (this.closing) return;
    if (this.gates === 0) this.flush();
    else if (this.waitingBytes > MAX_WAITING_BYTES) this.flow.pause('gate', true);
  }

  /** The first record stands before the first byte leaves; later ones only keep a crash's loss small. */
  private recordProgress(): void {
    const nowMs = this.context.ports.now();
    const tokens = outputTokens(this.scanner);
    if (this.delivered && tokens - this.progressTokens < PROGRESS_TOKENS && nowMs - this.progressAtMs < PROGRESS_MS) return;
    const { spool } = this.context.ports;
    const progress = { tokens: tokensReadSoFar(this.scanner, this.request.plan.input.estimatedTokens), status: this.head?.status ?? 200 };
    try {
      spool.append(SPOOL_RECORD.progress, this.request.requestId, JSON.stringify(progress));
    } catch (cause) {
      return this.fail(notRecorded(cause));
    }
    this.progressTokens = tokens;
    this.progressAtMs = nowMs;
    if (this.delivered) return;
    this.delivered = true;
    this.gates++;
    spool.written({ spooled: (error) => (error ? this.fail(notRecorded(error)) : this.openGate()) });
  }

  private openGate(): void {
    this.gates--;
    if (this.gates === 0 && !this.closing) this.flush();
  }

  private flush(): void {
    const slices = this.takeWaiting();
    if (slices.length > 0 && !this.answer.write(slices)) this.flow.pause('client', true);
    this.flow.pause('gate', this.unpaid.bytes > MAX_WAITING_BYTES);
  }

  /** Bytes that were released but have not left; the end of an answer takes them along. */
  takeWaiting(): Buffer[] {
    const slices = this.waiting;
    this.dropWaiting();
    return slices;
  }

  private dropWaiting(): void {
    this.waiting = [];
    this.waitingBytes = 0;
  }

  // ---- the end

  /** Ends the exchange: settle, CLOSE, then the last bytes. Only the first call counts. */
  private close(outcome: UsageOutcome, error: GatewayError | undefined): void {
    if (this.closing) return;
    this.closing = true;
    this.outcome = this.answer.gone && outcome === 'completed' ? 'client_left' : outcome;
    this.error = error;
    this.keeper.end();
    if (error) this.keepFromClient(outcome);
    this.request.releaseBody();
    if (outcome === 'completed' || outcome === 'upstream_refused') this.flow.linger();
    else this.flow.abort();
    void closeExchange(this);
  }

  /** What is not paid for stays here; and while nothing has left, a failure is told as a whole answer, which costs nothing. */
  private keepFromClient(outcome: UsageOutcome): void {
    const failed = outcome === 'upstream_failed' || outcome === 'gateway_failed';
    if (failed && !this.answer.headSent && !this.answer.gone) {
      this.delivered = false;
      this.dropWaiting();
    }
    this.unsent = [...this.unpaid.takeAll(), ...(outcome === 'balance_exhausted' ? (this.scanner?.takeReady() ?? []) : [])];
  }

  /** CLOSE is in the spool: the client may see the end. */
  finish(): void {
    if (this.finished) return;
    this.finished = true;
    if (this.absentTimer !== undefined) {
      clearTimeout(this.absentTimer);
      this.context.running.leaveAbsence();
    }
    const { scanner } = this;
    if (this.error) this.endWithError(this.error);
    else this.answer.finish([...this.takeWaiting(), ...this.unpaid.takeAll(), ...(scanner?.takeReady() ?? []), ...(scanner?.takeHeld() ?? [])]);
    this.answer.whenClosed(() => {
      this.context.running.delete(this);
      endExchangeSpan(this);
    });
  }

  /** What was paid for, then the error: the provider's own event, if it sent one; and no clean end. */
  private endWithError(error: GatewayError): void {
    const waiting = this.takeWaiting();
    if (waiting.length > 0) this.answer.write(waiting);
    if (!this.scanner?.errored || !this.answer.headSent) return this.answer.fail(error, this.unsent);
    this.answer.write(this.scanner.takeReady());
    this.answer.destroyAfterFlush();
  }

  private logUpstreamTrouble(failure: AdapterFailure): void {
    const { key, requestId } = this.request;
    this.context.ports.logger.warn({ requestId, groupId: key.groupId, upstreamId: failure.upstreamId, cause: String(failure.cause) }, 'upstream trouble');
  }
}

function takeTurn(exchange: Exchange): void {
  exchange.turn();
}

import type { IncomingMessage, ServerResponse } from 'node:http';
import { allowedRequestHeaders } from '@tokone/adapter-kit';
import type { KeyRecord } from '@tokone/account-client';
import type { ReserveResult } from '@tokone/admission';
import { SPOOL_RECORD } from '@tokone/events';
import type { OpenPayload } from '@tokone/events';
import { tokensFor, writeUsd } from '@tokone/pricing';
import { GatewayError, passBody } from '@tokone/protocol';
import type { InferenceEndpoint } from '@tokone/protocol';
import type { Span } from '@tokone/telemetry';
import { requireActiveAccount } from './authenticator.js';
import type { Authenticator } from './authenticator.js';
import { ClientAnswer, writeRefusal } from './client-answer.js';
import { Exchange } from './exchange.js';
import type { AdmittedRequest, ExchangeContext } from './exchange.js';
import type { GroupList } from './gateway-context.js';
import { limitReached } from './limit-refusal.js';
import type { RefusalRecord } from './refusal-record.js';
import { ClientLeftError } from './request-body.js';
import type { BodyBudget } from './request-body.js';
import { OverheadPhases } from './overhead-phases.js';
import { planRequest } from './request-plan.js';
import type { RequestPlan } from './request-plan.js';
import { describeAdmitted, endRefusedSpan, startRequestSpan, traceReserve } from './request-span.js';

export interface IntakeContext extends ExchangeContext {
  authenticator: Authenticator;
  bodies: BodyBudget;
  groups: GroupList;
  refusals: RefusalRecord;
  /** False while starting or draining. */
  ready(): boolean;
}

/** What is known of a request while it is checked; a refusal takes what there is. */
interface Arrival {
  request: IncomingMessage;
  response: ServerResponse;
  endpoint: InferenceEndpoint;
  requestId: string;
  startedAtMs: number;
  /** While it is recorded. */
  span: Span | undefined;
  key?: KeyRecord;
  model: string;
  streamed: boolean;
  bodyBytes: number;
  exchange?: Exchange;
}

/** Takes a request from its head to its OPEN record: authenticate, read, check, admit. Everything that fails here costs nothing. */
export class InferenceIntake {
  constructor(private readonly context: IntakeContext) {}

  async take(request: IncomingMessage, response: ServerResponse, endpoint: InferenceEndpoint): Promise<void> {
    const { ports, tracing } = this.context;
    const requestId = ports.ids.next();
    const span = startRequestSpan(tracing, { requestId, endpoint, request });
    const arrival: Arrival = { request, response, endpoint, requestId, startedAtMs: ports.now(), span, model: endpoint.model ?? '', streamed: endpoint.streamsByPath, bodyBytes: 0 };
    this.context.running.arrive();
    try {
      await this.admit(arrival);
    } catch (error) {
      this.refuse(arrival, error);
    } finally {
      // From the OPEN record on the exchange gives the body back.
      if (!arrival.exchange) this.context.bodies.release(arrival.bodyBytes);
      this.context.running.leave();
    }
  }

  private async admit(arrival: Arrival): Promise<void> {
    const { authenticator, bodies, ports, limits, groups, metrics, tracing } = this.context;
    if (!this.context.ready()) throw notReady();
    const { request, endpoint } = arrival;
    const phases = new OverheadPhases(metrics, ports.monotonicNow);
    const authenticated = authenticator.authenticate(request.rawHeaders);
    const key = (arrival.key = authenticated instanceof Promise ? await authenticated : authenticated);
    requireActiveAccount(key);
    bodies.check(request);
    phases.over('authenticate');
    const body = await bodies.read(request);
    phases.resume();
    arrival.bodyBytes = body.length;
    const { facts, fault } = passBody(endpoint.dialect, body);
    if (fault) throw new GatewayError(fault.code, fault.message, { field: fault.field });
    if (endpoint.model === undefined) arrival.model = facts.model ?? '';
    arrival.streamed ||= facts.stream === true;
    const plan = planRequest({ endpoint, facts, bodyBytes: body.length, key, prices: ports.prices, groups: groups.current(), referenceTokens: limits.referenceTokens });
    // A body may have taken its time: a drain that began meanwhile must not gain an exchange after it has ended the others.
    if (!this.context.ready()) throw notReady();
    if (!ports.spool.accepting) throw spoolUnavailable();
    phases.over('check');
    const asked = { accountId: key.accountId, requestId: arrival.requestId, amount: plan.rule, limits: key.limits, tokens: plan.tokens };
    const reserved = await traceReserve(tracing, arrival.span, () => ports.admission.reserve(asked));
    metrics.admission(reserved.status === 'limited' ? `limited_${reserved.kind}` : reserved.status);
    const hold = heldOrRefused(reserved, plan.tokens);
    const outputLimit = plan.rule.mode === 'no_limit' && !hold.whole ? await this.affordableLimit(arrival, plan, hold.holdNanoUsd) : undefined;
    const admitted: AdmittedRequest = {
      requestId: arrival.requestId,
      span: arrival.span,
      key,
      dialect: endpoint.dialect,
      facts,
      plan,
      // The provider keeps to the limit that is written for it, which the hold covers.
      hold: { ...hold, whole: hold.whole || outputLimit !== undefined },
      outputLimit,
      headers: allowedRequestHeaders(request.rawHeaders),
      requestBytes: body.length,
      startedAtMs: arrival.startedAtMs,
      releaseBody: once(() => bodies.release(body.length)),
    };
    describeAdmitted(admitted);
    phases.over('admit');
    await this.record(admitted);
    phases.over('record');
    phases.end();
    this.dispatch(arrival, admitted, body);
  }

  /** OPEN is in the spool before anything goes to an upstream. */
  private async record(admitted: AdmittedRequest): Promise<void> {
    const { ports } = this.context;
    try {
      ports.spool.append(SPOOL_RECORD.open, admitted.requestId, JSON.stringify(openPayload(admitted)));
      await new Promise<void>((resolve, reject) => ports.spool.written({ spooled: (error) => (error ? reject(error) : resolve()) }));
    } catch (cause) {
      await ports.admission.release(admitted.key.accountId, admitted.requestId);
      throw spoolUnavailable(cause);
    }
  }

  private dispatch(arrival: Arrival, admitted: AdmittedRequest, body: Buffer): void {
    const answer = new ClientAnswer({
      response: arrival.response,
      requestId: admitted.requestId,
      dialect: admitted.dialect,
      stallTimeoutMs: this.context.limits.stallTimeoutMs,
      onGone: () => arrival.exchange?.clientLeft(),
      onDrain: () => arrival.exchange?.clientDrained(),
    });
    arrival.exchange = new Exchange(this.context, admitted, answer);
    arrival.exchange.start(body);
  }

  /** The output that the hold pays for, for each of the answers asked for; thoughts beside them are paid first. */
  private async affordableLimit(arrival: Arrival, plan: RequestPlan, holdNanoUsd: bigint): Promise<number> {
    const { estimate, answers, thinkingTokens, leastLimit } = plan;
    const tokens = tokensFor(holdNanoUsd - estimate.inputNanoUsd, estimate.outputNanoUsdPerMillion);
    const limit = Math.floor(tokens / answers) - thinkingTokens;
    if (limit >= leastLimit) return limit;
    await this.context.ports.admission.release(arrival.key?.accountId ?? '', arrival.requestId);
    throw new GatewayError('insufficient_balance', `The balance does not cover ${answers} answers to this request. Top up, ask for fewer answers or less thinking, or state an output limit.`);
  }

  private refuse(arrival: Arrival, thrown: unknown): void {
    if (thrown instanceof ClientLeftError) return endRefusedSpan(arrival.span, undefined);
    const { ports, refusals } = this.context;
    if (arrival.exchange) {
      // Admitted already: the exchange owns the answer, the hold and the record.
      ports.logger.error({ requestId: arrival.requestId, cause: String(thrown) }, 'an exchange failed to start');
      this.context.metrics.alarm('exchange_failed');
      arrival.exchange.fail(internalError(thrown));
      return;
    }
    const error = thrown instanceof GatewayError ? thrown : internalError(thrown);
    if (error.cause !== undefined || error.code === 'internal_error') ports.logger.error({ requestId: arrival.requestId, code: error.code, cause: causeOf(error) }, 'request failed');
    writeRefusal(arrival.response, { dialect: arrival.endpoint.dialect, error, requestId: arrival.requestId });
    endRefusedSpan(arrival.span, error);
    const { key, requestId, endpoint, model, streamed, startedAtMs, bodyBytes } = arrival;
    if (key) refusals.add({ requestId, traceparent: arrival.span?.traceparent, key, dialect: endpoint.dialect, model, streamed, error, startedAtMs, requestBytes: bodyBytes });
  }
}

function heldOrRefused(result: ReserveResult, tokens: number): { holdNanoUsd: bigint; extendable: boolean; whole: boolean } {
  if (result.status === 'held') return result;
  if (result.status === 'unavailable') throw new GatewayError('admission_unavailable', 'The balance cannot be checked right now. Send the request again in a moment.', { retryAfterSeconds: 1, cause: result.cause });
  if (result.status === 'limited') throw limitReached(result, tokens);
  const amounts = `${writeUsd(result.availableNanoUsd)} USD is available and ${writeUsd(result.neededNanoUsd)} USD is needed`;
  if (result.status === 'balance_held') {
    throw new GatewayError('balance_held', `Running requests hold the balance: ${amounts} for this request. Wait for one to end, or top up.`, { retryAfterSeconds: 2 });
  }
  throw new GatewayError('insufficient_balance', `The balance does not cover this request: ${amounts}. Top up, or ask for less output.`);
}

function once(act: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    act();
  };
}

function openPayload({ key, dialect, plan, hold, startedAtMs, requestBytes }: AdmittedRequest): OpenPayload {
  return {
    accountId: key.accountId,
    keyId: key.keyId,
    groupId: key.groupId,
    model: plan.model,
    dialect,
    streamed: plan.streamed,
    priceId: plan.price.id,
    multiplierPpm: key.multiplierPpm,
    holdNanoUsd: hold.holdNanoUsd.toString(),
    estimatedInputTokens: plan.input.estimatedTokens,
    serviceTier: plan.tier,
    startedAtMs,
    requestBytes,
  };
}

export function notReady(): GatewayError {
  return new GatewayError('not_ready', 'TokOne is starting or stopping. Send the request again in a moment.', { retryAfterSeconds: 2 });
}

function spoolUnavailable(cause?: unknown): GatewayError {
  return new GatewayError('spool_unavailable', 'Usage cannot be recorded right now, so nothing is served. Send the request again in a moment.', { retryAfterSeconds: 5, cause });
}

function internalError(cause: unknown): GatewayError {
  return new GatewayError('internal_error', 'TokOne failed. Send the request again; the request id helps the operator to find it.', { cause });
}

/** A part that is away is no defect, and there is a line for each request that it costs: no stack for that. */
function causeOf({ code, cause }: GatewayError): string {
  return code === 'internal_error' && cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}

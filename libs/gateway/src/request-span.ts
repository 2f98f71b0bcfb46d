import type { IncomingMessage } from 'node:http';
import type { ReserveResult } from '@tokone/admission';
import { totalInputTokens, totalOutputTokens } from '@tokone/protocol';
import type { GatewayError, InferenceEndpoint } from '@tokone/protocol';
import { GEN_AI_OPERATION } from '@tokone/telemetry';
import type { Span, Tracing } from '@tokone/telemetry';
import type { AdmittedRequest, Exchange } from './exchange.js';
import type { MeasuredUsage } from './measured-usage.js';
import { routeOf } from './request-route.js';

interface ArrivedRequest {
  requestId: string;
  endpoint: InferenceEndpoint;
  request: IncomingMessage;
}

/**
 * The first span of a request, if it is recorded. A trace that the tenant began is linked, never continued: its flag would
 * let a tenant have everything recorded, and its ids could be those of somebody else's trace.
 */
export function startRequestSpan(tracing: Tracing, { requestId, endpoint, request }: ArrivedRequest): Span | undefined {
  if (!tracing.enabled) return undefined;
  const route = routeOf(endpoint);
  const span = tracing.startRequest(requestId, { name: `POST ${route}`, kind: 'server', attributes: { httpMethod: 'POST', httpRoute: route, requestId, operation: GEN_AI_OPERATION[endpoint.dialect] } });
  const tenants = span && request.headers['traceparent'];
  if (typeof tenants === 'string') span?.link(tenants);
  return span;
}

/** The time that admission takes, within the request. */
export async function traceReserve(tracing: Tracing, parent: Span | undefined, reserve: () => Promise<ReserveResult>): Promise<ReserveResult> {
  if (!parent) return reserve();
  const span = tracing.startSpan(parent.traceparent, { name: 'reserve', kind: 'internal' });
  try {
    const result = await reserve();
    span?.set({ admission: result.status });
    if (result.status === 'unavailable') span?.fail('admission_unavailable');
    return result;
  } finally {
    span?.end();
  }
}

/** What is known of a request once it is admitted: the model is one of the price book by then, not just any text. */
export function describeAdmitted({ span, key, plan, hold }: AdmittedRequest): void {
  span?.set({ accountId: key.accountId, keyId: key.keyId, groupId: key.groupId, requestModel: plan.model, requestStream: plan.streamed, heldNanoUsd: hold.holdNanoUsd.toString() });
}

/** What was used, as it stands in the record. */
export function describeUsage({ request: { span }, scanner, outcome, watch }: Exchange, { tokens, estimated }: MeasuredUsage, grantNanoUsd: bigint): void {
  span?.set({
    inputTokens: totalInputTokens(tokens),
    outputTokens: totalOutputTokens(tokens),
    cacheReadTokens: tokens.cacheRead || undefined,
    cacheWriteTokens: tokens.cacheWrite5m + tokens.cacheWrite1h || undefined,
    reasoningTokens: tokens.reasoning || undefined,
    responseId: scanner?.answerId,
    estimated,
    outcome,
    heldNanoUsd: watch.held.toString(),
    grantedNanoUsd: grantNanoUsd.toString(),
  });
}

/** The answer has been closed, and its record written, whichever came last. */
export function endExchangeSpan({ request: { span, startedAtMs }, answer, outcome, error, head, firstByteAtMs }: Exchange): void {
  if (!span) return;
  const status = answer.headSent || !error ? head?.status : error.status;
  span.set({ httpStatus: status, firstChunkSeconds: firstByteAtMs === undefined ? undefined : Math.max(0, firstByteAtMs - startedAtMs) / 1000 });
  if (error) span.fail(error.code);
  else if (outcome !== 'completed') span.fail(outcome);
  span.end();
}

/** Nothing was sent to an adapter. Without an error the client left before it had sent its request. */
export function endRefusedSpan(span: Span | undefined, error: GatewayError | undefined): void {
  if (!span) return;
  if (error) span.set({ httpStatus: error.status });
  span.fail(error?.code ?? 'client_left');
  span.end();
}

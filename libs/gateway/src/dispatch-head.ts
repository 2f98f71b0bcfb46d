import type { DispatchHead } from '@tokone/adapter-kit';
import type { AdmittedRequest } from './exchange.js';

/** What an adapter is told of a request. */
export function dispatchHead({ requestId, span, key, dialect, plan, headers, facts, outputLimit }: AdmittedRequest): DispatchHead {
  return {
    requestId,
    traceparent: span?.traceparent,
    groupId: key.groupId,
    dialect,
    model: plan.model,
    streamed: plan.streamed,
    framing: plan.framing,
    headers,
    facts,
    outputLimit,
  };
}

import { ERROR_TABLE } from '@tokone/protocol';
import type { ErrorCode } from '@tokone/protocol';

/** The closed sets of values that labels take. A value that is in none of them never becomes a label. */

/** What was asked for, by the template of its path: `none` could not be read as a request, `other` is every path that is not served. */
export const ROUTES = [
  '/v1/chat/completions',
  '/v1/messages',
  '/v1beta/models/{model}:generateContent',
  '/v1beta/models/{model}:streamGenerateContent',
  '/v1/models',
  '/v1/models/{model}',
  '/v1/usage',
  '/health',
  'other',
  'none',
] as const;
export type RequestRoute = (typeof ROUTES)[number];

/** Of the status that was sent; `none`: the caller left before anything was. */
export const CODE_CLASSES = ['2xx', '3xx', '4xx', '5xx', 'none'] as const;
export type CodeClass = (typeof CODE_CLASSES)[number];

/** Why a request did not end as it should: a code of docs/errors.md, or what has none there. */
export type RequestCause = 'none' | 'client_left' | 'refused_by_provider' | ErrorCode;
export const CAUSES: readonly RequestCause[] = ['none', 'client_left', 'refused_by_provider', ...(Object.keys(ERROR_TABLE) as ErrorCode[])];

/** Parts of the time before a request goes to an upstream; `all` is their sum. Reading the body is the caller's time and in none of them. */
export const OVERHEAD_PHASES = ['authenticate', 'check', 'admit', 'record', 'all'] as const;

export const INFLIGHT_KINDS = ['arriving', 'running', 'absent'] as const;

/** As admission answers; `limited_…` by what is limited. */
export const ADMISSION_RESULTS = ['held', 'insufficient_balance', 'balance_held', 'limited_requests', 'limited_tokens', 'limited_concurrency', 'unavailable'] as const;
export type AdmissionResult = (typeof ADMISSION_RESULTS)[number];

export const KEY_CACHE_RESULTS = ['hit', 'miss'] as const;

/** Who ended a stream before it was whole. */
export const ABORTED_BY = ['client', 'balance', 'upstream', 'gateway'] as const;
export type AbortedBy = (typeof ABORTED_BY)[number];

/** Where the tokens that it is charged for come from; `none`: it is charged for none. */
export const USAGE_SOURCES = ['reported', 'estimated', 'none'] as const;
export type UsageSource = (typeof USAGE_SOURCES)[number];

export const SPOOL_OPERATIONS = ['write', 'sync', 'delete'] as const;
export type SpoolOperation = (typeof SPOOL_OPERATIONS)[number];

/** Of the delay of the event loop, over the time since the last look. */
export const DELAY_STATISTICS = ['mean', 'p50', 'p99', 'max'] as const;

export const PROVIDERS = ['openai', 'anthropic', 'gemini'] as const;

/** How one attempt at an upstream ended. */
export const UPSTREAM_OUTCOMES = ['whole', 'refused', 'unauthorized', 'rate_limited', 'overloaded', 'server_error', 'error_event', 'timeout', 'broken', 'cancelled'] as const;
export type UpstreamOutcome = (typeof UPSTREAM_OUTCOMES)[number];

/** `posted`: rated and handed to the outbox. `duplicate`: delivered again. */
export const EVENT_RESULTS = ['posted', 'duplicate', 'dead', 'parked', 'conflict'] as const;

/** Why a record is dead: it is no event, its id is none, or the database refused it. */
export const DEAD_REASONS = ['unreadable', 'bad_id', 'refused'] as const;
export type DeadReason = (typeof DEAD_REASONS)[number];

export const POSTED_RESULTS = ['posted', 'repeated', 'dead'] as const;
export const SWEEP_RESULTS = ['done', 'failed'] as const;
export const FENCE_RESULTS = ['passed', 'waiting', 'failed'] as const;
export const KEY_LOOKUP_RESULTS = ['found', 'unknown', 'failed'] as const;

/** As docs/reconciliation.md has them. */
export const RECONCILIATION_CHECKS = ['R1', 'R2', 'R3', 'R4', 'R5', 'R6'] as const;
export const RECONCILIATION_STATES = ['right', 'wrong', 'not_checked', 'not_applicable'] as const;

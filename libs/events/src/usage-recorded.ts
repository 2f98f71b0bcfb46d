import { TRACEPARENT } from '@tokone/protocol';
import { z } from 'zod';
import { isPlainUsage } from './usage-shape.js';

/** How a request ended. `refused` never reached an upstream; all others were admitted and have an OPEN record. */
export const USAGE_OUTCOMES = [
  'completed',
  'client_left',
  'balance_exhausted',
  'upstream_refused',
  'upstream_failed',
  'gateway_failed',
  'gateway_crash',
  'refused',
] as const;
export type UsageOutcome = (typeof USAGE_OUTCOMES)[number];

const nanoUsd = z.string().regex(/^\d{1,18}$/).transform(BigInt);
const count = z.number().int().min(0);
const tokens = z.strictObject({
  input: count,
  cacheRead: count,
  cacheWrite5m: count,
  cacheWrite1h: count,
  inputAudio: count,
  output: count,
  reasoning: count,
  outputAudio: count,
  outputImage: count,
});

/**
 * `usage.recorded`: what one request used. Published by the gateway's spool, keyed by `accountId`, at least once, in
 * the order of one gateway; consumed by billing, which charges each `id` once for ever. `id` is the request id of
 * the answer, the id of the usage row and of the charge; the event's time is `endedAtMs`. Money is a decimal string of
 * nano-USD on the wire.
 */
export const usageRecordedSchema = z.object({
  schema: z.literal(2),
  id: z.uuid(),
  /** The trace of the request, as W3C writes it; null where it is not known, as in every event of schema 1. */
  traceparent: z.string().regex(TRACEPARENT).nullable(),
  accountId: z.uuid(),
  keyId: z.uuid(),
  groupId: z.uuid(),
  /** As the tenant asked for it: price and hold follow it. Empty when refused before it was known. */
  model: z.string().max(256),
  dialect: z.string().max(64),
  streamed: z.boolean(),
  /** HTTP status that the client was sent (or would have been). */
  status: z.number().int().min(100).max(599),
  outcome: z.enum(USAGE_OUTCOMES),
  /** The refusal's or failure's code of the error table; null for a completed request. */
  errorCode: z.string().max(64).nullable(),
  /** Refusals beyond the first 60 of a key and minute are counted in one event. 1 otherwise. */
  count: z.number().int().min(1),
  tokens,
  units: z.record(z.string(), count),
  serviceTier: z.string().max(32).nullable(),
  /** True when the provider reported no final usage and the tokens are our own count. */
  estimated: z.boolean(),
  /** The provider's numbers did not add up and were clamped. */
  odd: z.boolean(),
  /** Price snapshot that was current at admission; null for a refusal. */
  priceId: z.string().max(200).nullable(),
  multiplierPpm: z.number().int().min(0),
  /** Everything held for the request, extensions included. */
  holdNanoUsd: nanoUsd,
  /** What admission granted at settle: the charge is min(rated, this). */
  grantNanoUsd: nanoUsd,
  upstreamId: z.string().max(64).nullable(),
  upstreamRequestId: z.string().max(200).nullable(),
  /** `usage` as the provider wrote it, JSON text. */
  rawUsage: z.string().max(8192).nullable(),
  startedAtMs: count,
  firstByteAtMs: count.nullable(),
  endedAtMs: count,
  requestBytes: count,
  answerBytes: count,
});

/** The event in memory: money as bigint. */
export type UsageRecorded = z.output<typeof usageRecordedSchema>;

export function writeUsageRecorded(event: UsageRecorded): string {
  // Money is written by hand: a replacer would be called for each of some forty values, on every request.
  return JSON.stringify({ ...event, holdNanoUsd: event.holdNanoUsd.toString(), grantNanoUsd: event.grantNanoUsd.toString() });
}

/**
 * Accepts schema 2 and the previous one, which had no trace context: what comes out is always schema 2. Throws a
 * ZodError or SyntaxError on anything else.
 */
export function readUsageRecorded(text: string): UsageRecorded {
  const value: unknown = JSON.parse(text);
  if (isPlainUsage(value, KNOWN_OUTCOMES)) {
    value.holdNanoUsd = BigInt(value.holdNanoUsd as string);
    value.grantNanoUsd = BigInt(value.grantNanoUsd as string);
    return value as UsageRecorded;
  }
  return usageRecordedSchema.parse(isFirstSchema(value) ? { ...value, schema: 2, traceparent: null } : value);
}

const KNOWN_OUTCOMES: ReadonlySet<unknown> = new Set(USAGE_OUTCOMES);

function isFirstSchema(value: unknown): value is { schema: 1 } {
  return typeof value === 'object' && value !== null && 'schema' in value && value.schema === 1;
}

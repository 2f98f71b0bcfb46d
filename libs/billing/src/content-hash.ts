import { hash } from 'node:crypto';
import type { UsageRecorded } from '@tokone/events';
import { TOKEN_CLASSES } from '@tokone/protocol';

/**
 * SHA-256 of everything that an event says, hex. It does not depend on the order in which a driver of the log
 * happens to hand the fields over, so a redelivery by another way has the same hash. Nor does it depend on the schema
 * in which the event came, or on the trace context, which the first schema did not have: an event that was rated from
 * schema 1 and comes again as schema 2 is the same event.
 */
export function hashContent(event: UsageRecorded): string {
  const { tokens, units, holdNanoUsd, grantNanoUsd } = event;
  const fields: unknown[] = [holdNanoUsd.toString(), grantNanoUsd.toString()];
  for (const tokenClass of TOKEN_CLASSES) fields.push(tokens[tokenClass]);
  for (const unit of Object.keys(units).sort()) fields.push(unit, units[unit]);
  fields.push(HASHED_SCHEMA);
  for (const name of PLAIN_FIELDS) fields.push(event[name]);
  return hash('sha256', JSON.stringify(fields), 'hex');
}

/** The schema of the events whose hashes are in tables already. */
const HASHED_SCHEMA = 1;

type PlainField = Exclude<keyof UsageRecorded, 'tokens' | 'units' | 'holdNanoUsd' | 'grantNanoUsd' | 'schema' | 'traceparent'>;

/** A record, so that the compiler asks for each new field of the event. */
const PLAIN: Readonly<Record<PlainField, true>> = {
  id: true,
  accountId: true,
  keyId: true,
  groupId: true,
  model: true,
  dialect: true,
  streamed: true,
  status: true,
  outcome: true,
  errorCode: true,
  count: true,
  serviceTier: true,
  estimated: true,
  odd: true,
  priceId: true,
  multiplierPpm: true,
  upstreamId: true,
  upstreamRequestId: true,
  rawUsage: true,
  startedAtMs: true,
  firstByteAtMs: true,
  endedAtMs: true,
  requestBytes: true,
  answerBytes: true,
};
const PLAIN_FIELDS = Object.keys(PLAIN) as PlainField[];

import { TRACEPARENT } from '@tokone/protocol';

/** An event as JSON holds it: money is still text. */
export interface WireUsage {
  holdNanoUsd: unknown;
  grantNanoUsd: unknown;
}

/**
 * Whether a parsed text is an event of the current schema beyond doubt, by the rules of `usageRecordedSchema`, and with
 * no member beyond these. It runs for each event of a deployment, and zod takes ten times as long, more than everything
 * else that billing does with an event. "No" means nothing: the schema decides then, and says what is wrong.
 */
export function isPlainUsage(value: unknown, outcomes: ReadonlySet<unknown>): value is WireUsage {
  if (!isObject(value) || countOf(value) !== MEMBERS) return false;
  return (
    value['schema'] === 2 &&
    isUuid(value['id']) &&
    (value['traceparent'] === null || (isText(value['traceparent'], 64) && TRACEPARENT.test(value['traceparent']))) &&
    isUuid(value['accountId']) &&
    isUuid(value['keyId']) &&
    isUuid(value['groupId']) &&
    isText(value['model'], 256) &&
    isText(value['dialect'], 64) &&
    typeof value['streamed'] === 'boolean' &&
    isCount(value['status'], 100) &&
    value['status'] <= 599 &&
    outcomes.has(value['outcome']) &&
    isTextOrNull(value['errorCode'], 64) &&
    isCount(value['count'], 1) &&
    areTokens(value['tokens']) &&
    areUnits(value['units']) &&
    isTextOrNull(value['serviceTier'], 32) &&
    typeof value['estimated'] === 'boolean' &&
    typeof value['odd'] === 'boolean' &&
    isTextOrNull(value['priceId'], 200) &&
    isCount(value['multiplierPpm']) &&
    isMoney(value['holdNanoUsd']) &&
    isMoney(value['grantNanoUsd']) &&
    isTextOrNull(value['upstreamId'], 64) &&
    isTextOrNull(value['upstreamRequestId'], 200) &&
    isTextOrNull(value['rawUsage'], 8_192) &&
    isCount(value['startedAtMs']) &&
    (value['firstByteAtMs'] === null || isCount(value['firstByteAtMs'])) &&
    isCount(value['endedAtMs']) &&
    isCount(value['requestBytes']) &&
    isCount(value['answerBytes'])
  );
}

const MEMBERS = 30;
const TOKEN_MEMBERS = 9;
/** As we write them. Other spellings are left to the schema. */
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const MONEY = /^\d{1,18}$/;

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function countOf(members: object): number {
  let count = 0;
  for (const _name in members) count++;
  return count;
}

function isText(value: unknown, longest: number): value is string {
  return typeof value === 'string' && value.length <= longest;
}

function isTextOrNull(value: unknown, longest: number): boolean {
  return value === null || isText(value, longest);
}

function isUuid(value: unknown): boolean {
  return typeof value === 'string' && UUID.test(value);
}

function isMoney(value: unknown): boolean {
  return typeof value === 'string' && MONEY.test(value);
}

function isCount(value: unknown, least = 0): value is number {
  return Number.isSafeInteger(value) && (value as number) >= least;
}

function areTokens(value: unknown): boolean {
  return (
    isObject(value) &&
    countOf(value) === TOKEN_MEMBERS &&
    isCount(value['input']) &&
    isCount(value['cacheRead']) &&
    isCount(value['cacheWrite5m']) &&
    isCount(value['cacheWrite1h']) &&
    isCount(value['inputAudio']) &&
    isCount(value['output']) &&
    isCount(value['reasoning']) &&
    isCount(value['outputAudio']) &&
    isCount(value['outputImage'])
  );
}

/** A name that objects treat in a way of their own is left to the schema. */
function areUnits(value: unknown): boolean {
  if (!isObject(value)) return false;
  for (const name in value) if (name === '__proto__' || !isCount(value[name])) return false;
  return true;
}

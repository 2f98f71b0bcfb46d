import { DIALECT_OF_PLATFORM } from '@tokone/protocol';
import type { AdapterFailure, AnswerHead, DispatchHead } from './adapter.js';

/** Where an adapter service takes dispatches, by POST. */
export const DISPATCH_PATH = '/internal/adapter/dispatch';

/**
 * Headers of an answer to a dispatch. `answer` holds an `AnswerHead` and `failure` an `AdapterFailure`, as JSON in
 * base64url, because JSON may hold what a header may not. Status 200 carries one of the two. Behind the bytes stands
 * one trailer: `end`, or `failure` where they broke off; an answer without either is cut. Any other status comes with
 * `refusal` (a `DispatchRefusal`), and then certainly nothing was sent to a provider.
 */
export const WIRE_HEADER = { answer: 'x-tokone-answer', failure: 'x-tokone-failure', end: 'x-tokone-end', refusal: 'x-tokone-refusal', deadlineMs: 'x-tokone-deadline-ms' } as const;

/**
 * An adapter that waits for a provider says so by an informational head (102) this often, so that a gateway tells one
 * that waits from one that is frozen, however long the provider thinks and however many upstreams are tried.
 */
export const SIGN_OF_LIFE_MS = 5_000;

/** Value of the trailer `end`. */
export const WHOLE = 'whole';

/** Why an adapter took no dispatch: it stops or is full, the secret is wrong, or the request cannot be read. */
export type DispatchRefusal = 'not_serving' | 'wrong_secret' | 'malformed_dispatch' | 'body_too_large';

/** The JSON of a head takes no more bytes; a body may hold so many tools that its facts are long. */
export const MAX_HEAD_BYTES = 1_048_576;
/** Big-endian length of the head's JSON, in front of it. */
export const LENGTH_BYTES = 4;

const MAX_CAUSE_CHARACTERS = 300;
const DIALECTS = new Set<unknown>(Object.values(DIALECT_OF_PLATFORM));
const FRAMINGS = new Set<unknown>(['json', 'sse', 'json-array']);
const FAILURE_CODES = new Set<unknown>(['upstream_failed', 'upstream_timeout', 'no_upstream', 'not_ready', 'internal_error', 'aborted']);

/** What stands in front of the request body: the length and the JSON of the head. A member that is undefined is absent. */
export function writeDispatchHead(head: DispatchHead): Buffer {
  const json = JSON.stringify(head);
  const bytes = Buffer.allocUnsafe(LENGTH_BYTES + Buffer.byteLength(json));
  bytes.writeUInt32BE(bytes.length - LENGTH_BYTES, 0);
  bytes.write(json, LENGTH_BYTES);
  return bytes;
}

export type DispatchReading = { head: DispatchHead; body: Buffer; fault?: undefined } | { head?: undefined; body?: undefined; fault: string };

/** A dispatch as it came, whole. `body` is a view on `bytes`; the fault is a sentence that quotes nothing. */
export function readDispatch(bytes: Buffer): DispatchReading {
  if (bytes.length < LENGTH_BYTES) return { fault: 'A dispatch begins with the length of its head.' };
  const bodyAt = LENGTH_BYTES + bytes.readUInt32BE(0);
  if (bodyAt > LENGTH_BYTES + MAX_HEAD_BYTES) return { fault: `The head of a dispatch has at most ${MAX_HEAD_BYTES} bytes.` };
  if (bodyAt > bytes.length) return { fault: 'The head of this dispatch is longer than the dispatch.' };
  const head = readJson(bytes.toString('utf8', LENGTH_BYTES, bodyAt));
  if (!isDispatchHead(head, bytes.length - bodyAt)) return { fault: 'The head of this dispatch is not one that this adapter knows. Do gateway and adapter have the same version?' };
  return { head, body: bytes.subarray(bodyAt) };
}

export function writeAnswerHead(head: AnswerHead): string {
  return toBase64(head);
}

export function readAnswerHead(text: string): AnswerHead | undefined {
  const head = readJson(fromBase64(text));
  if (!isRecord(head) || !isRecord(head['headers'])) return undefined;
  const fits = Number.isInteger(head['status']) && DIALECTS.has(head['dialect']) && typeof head['upstreamId'] === 'string' && Number.isInteger(head['attempts']);
  // A member that is absent and one that is undefined are not the same to whoever compares heads.
  return fits ? ({ ...head, upstreamRequestId: head['upstreamRequestId'] } as unknown as AnswerHead) : undefined;
}

/** The cause crosses as a short text for the log. */
export function writeFailure({ cause, ...failure }: AdapterFailure): string {
  return toBase64({ ...failure, cause: cause === undefined ? undefined : String(cause).slice(0, MAX_CAUSE_CHARACTERS) });
}

export function readFailure(text: string): AdapterFailure | undefined {
  const failure = readJson(fromBase64(text));
  if (!isRecord(failure) || !FAILURE_CODES.has(failure['code']) || typeof failure['sent'] !== 'boolean') return undefined;
  return { code: failure['code'] as AdapterFailure['code'], sent: failure['sent'], upstreamId: textOf(failure['upstreamId']), cause: textOf(failure['cause']) };
}

/** Whatever an edit of the body relies on is checked: a wrong span would write into the middle of a prompt. */
function isDispatchHead(head: unknown, bodyBytes: number): head is DispatchHead {
  if (!isRecord(head) || !isRecord(head['facts'])) return false;
  const texts = typeof head['requestId'] === 'string' && typeof head['groupId'] === 'string' && typeof head['model'] === 'string';
  const choices = DIALECTS.has(head['dialect']) && FRAMINGS.has(head['framing']) && typeof head['streamed'] === 'boolean';
  const { headers, outputLimit } = head;
  const flat = Array.isArray(headers) && headers.length % 2 === 0 && headers.every((part) => typeof part === 'string');
  return texts && choices && flat && (outputLimit === undefined || Number.isSafeInteger(outputLimit)) && hasPlacesWithin(head['facts'], bodyBytes);
}

function hasPlacesWithin(facts: Record<string, unknown>, bodyBytes: number): boolean {
  const isOffset = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= bodyBytes;
  const isSpan = (value: unknown): boolean => isRecord(value) && isOffset(value['start']) && isOffset(value['end']) && value['start'] <= value['end'];
  if (!isOffset(facts['insertAt']) || typeof facts['empty'] !== 'boolean') return false;
  return Object.entries(facts).every(([name, value]) => (name.endsWith('Span') ? isSpan(value) : name.endsWith('InsertAt') ? isOffset(value) : true));
}

function toBase64(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function fromBase64(text: string): string {
  return Buffer.from(text, 'base64url').toString();
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

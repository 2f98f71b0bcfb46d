import type { Dialect } from '../dialect.js';
import { anthropicMessagesBody } from './anthropic-messages-places.js';
import type { BodyFault, BodyPassResult } from './body-facts.js';
import type { Place } from './body-place.js';
import { BodyRecord } from './body-record.js';
import { BodyWalker } from './body-walker.js';
import { geminiContentBody } from './gemini-content-places.js';
import { KIND_OF_BYTE, OBJECT } from './json-kind.js';
import { JsonScanner } from './json-scanner.js';
import { openaiChatBody } from './openai-chat-places.js';

const PLACES_OF_DIALECT: Readonly<Record<Dialect, Place>> = {
  'openai-chat': openaiChatBody,
  'anthropic-messages': anthropicMessagesBody,
  'gemini-content': geminiContentBody,
};

/**
 * Reads a request body once: checks that it is JSON in UTF-8 (RFC 8259, exactly what `JSON.parse` takes) with an object
 * at the top and at most 64 levels, and records the facts of its dialect. It never throws, its time is linear in the
 * bytes, and what it returns keeps nothing of the body alive.
 */
export function passBody(dialect: Dialect, body: Buffer): BodyPassResult {
  const scanner = new JsonScanner(body);
  const record = new BodyRecord();
  const walker = new BodyWalker(scanner, record);
  if (!scanner.encoding()) return { fault: invalidJson(scanner) };

  const first = scanner.next();
  const isObject = first >= 0 && KIND_OF_BYTE[first] === OBJECT;
  const topAt = scanner.at;
  const walked = walker.value(isObject ? PLACES_OF_DIALECT[dialect] : undefined);
  if (walked && scanner.next() >= 0) scanner.unexpected('the end of the text');
  if (scanner.trouble !== undefined) return { fault: invalidJson(scanner) };
  if (walker.objection !== undefined) return { fault: refusal(walker) };
  if (!isObject) return { fault: notAnObject(topAt) };

  record.facts.insertAt = topAt + 1;
  record.facts.empty = scanner.empty;
  return { facts: record.facts };
}

function invalidJson(scanner: JsonScanner): BodyFault {
  const offset = scanner.troubleAt < 0 ? undefined : scanner.troubleAt;
  const where = offset === undefined ? '' : ` (at byte ${offset})`;
  return {
    code: 'invalid_json',
    field: undefined,
    message: `The request body is not valid JSON: ${scanner.trouble}${where}.`,
    offset,
  };
}

function notAnObject(offset: number): BodyFault {
  return { code: 'not_an_object', field: undefined, message: 'The request body must be a JSON object.', offset };
}

function refusal(walker: BodyWalker): BodyFault {
  const { code, complaint, offset } = walker.objection as NonNullable<BodyWalker['objection']>;
  const field = code === 'too_deep' ? undefined : walker.path.slice(1);
  const subject = field === undefined ? 'The request body' : `\`${field}\``;
  return { code, field, message: `${subject} ${complaint}.`, offset };
}

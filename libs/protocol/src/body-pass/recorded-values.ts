import { scalar, type Place } from './body-place.js';
import { spanOf, type BodyRecord } from './body-record.js';
import { BOOLEAN, NULL, NUMBER, STRING } from './json-kind.js';
import type { JsonScanner } from './json-scanner.js';
import { beginsWith, decodeText } from './json-text.js';
import { NameTable } from './name-table.js';

/** Limits are 32-bit integers at every provider. */
const MAX_INTEGER = 2 ** 31;
const MAX_MODEL_CHARACTERS = 256;
const MAX_TOOL_CHARACTERS = 256;
const MAX_WORD_CHARACTERS = 64;
/** A character of text takes at most six bytes of JSON (`\uXXXX`), so a longer string need not be decoded. */
const MAX_BYTES_PER_CHARACTER = 6;

/** The text of a string that is short enough, else undefined. */
export function shortText(value: JsonScanner, maxCharacters: number): string | undefined {
  if (value.end - value.start > maxCharacters * MAX_BYTES_PER_CHARACTER) return undefined;
  const text = decodeText(value.body, value);
  return text.length <= maxCharacters ? text : undefined;
}

/** The name of the model: every dialect that has it in the body requires it. */
export const modelPlace: Place = scalar(STRING, {
  expected: `a string of 1 to ${MAX_MODEL_CHARACTERS} characters`,
  takes(record, value) {
    const model = shortText(value, MAX_MODEL_CHARACTERS);
    if (model === undefined || model === '') return false;
    record.facts.model = model;
    record.facts.modelSpan = spanOf(value);
    return true;
  },
});

export const streamPlace: Place = scalar(BOOLEAN | NULL, {
  takes(record, value) {
    record.facts.stream = booleanOf(value);
    return true;
  },
  takesMember(record, from, to) {
    record.facts.streamMemberSpan = { start: from, end: to };
  },
});

/** `true`, `false`, or undefined for `null`. */
export function booleanOf(value: JsonScanner): boolean | undefined {
  return value.kind === BOOLEAN ? value.body[value.from] === 0x74 : undefined;
}

/**
 * An integer from `min` to `max`. It is judged by its value, as a JSON reader sees it: `1e2` and `100.0` are 100.
 * `takes` gets undefined for `null`, which counts as absent unless `required`.
 */
export function integer(
  range: { min: number; max?: number; required?: boolean },
  takes: (record: BodyRecord, amount: number | undefined, value: JsonScanner) => void,
): Place {
  const { min, max = MAX_INTEGER, required = false } = range;
  return scalar(required ? NUMBER : NUMBER | NULL, {
    expected: `an integer from ${min} to ${max}${required ? '' : ' or null'}`,
    takes(record, value) {
      if (value.kind === NULL) {
        takes(record, undefined, value);
        return true;
      }
      const amount = numberOf(value);
      if (!Number.isInteger(amount) || amount < min || amount > max) return false;
      takes(record, amount, value);
      return true;
    },
  });
}

/** Short runs of digits, nearly all there are, are added up without making a string. `-0` comes out as 0. */
function numberOf(value: JsonScanner): number {
  const { body, from, to } = value;
  let amount = 0;
  for (let offset = from; offset < to; offset++) {
    const digit = (body[offset] as number) - 0x30;
    if (digit < 0 || digit > 9 || to - from > 10) return Number(body.toString('latin1', from, to)) + 0;
    amount = amount * 10 + digit;
  }
  return amount;
}

/** An output limit of one name; the largest of them all counts. */
export function outputLimit(
  span: 'maxTokensSpan' | 'maxCompletionTokensSpan' | 'maxOutputTokensSpan',
  range: { min: number; required?: boolean } = { min: 1 },
): Place {
  return integer(range, (record, tokens, value) => {
    record.facts[span] = spanOf(value);
    if (tokens !== undefined) record.addOutputLimit(tokens);
  });
}

/** How many answers are wanted. */
export const answersPlace: Place = integer({ min: 1, max: 128 }, (record, answers) => {
  if (answers !== undefined) record.facts.answers = answers;
});

export function thinkingBudget(min: number): Place {
  return integer({ min }, (record, tokens) => {
    record.facts.thinkingBudget = tokens;
  });
}

/** A word that chooses a price, kept as written. */
export function word(fact: 'serviceTier' | 'speed' | 'inferenceGeo'): Place {
  return scalar(STRING | NULL, {
    expected: `a string of at most ${MAX_WORD_CHARACTERS} characters or null`,
    takes(record, value) {
      if (value.kind === NULL) return true;
      record.facts[fact] = shortText(value, MAX_WORD_CHARACTERS);
      return record.facts[fact] !== undefined;
    },
  });
}

/** A tool's `type`: a hosted tool by that name, unless the client runs it. */
export function toolType(clientTypes: { names: readonly string[]; prefixes: readonly string[] }): Place {
  const clientNames = new NameTable(clientTypes.names.map((name) => [name, true] as const));
  return scalar(STRING | NULL, {
    expected: `a string of at most ${MAX_TOOL_CHARACTERS} characters, and built-in tools be few`,
    takes(record, value) {
      if (value.kind === NULL || clientNames.find(value.body, value)) return true;
      const type = record.admitsNamedTool() ? shortText(value, MAX_TOOL_CHARACTERS) : undefined;
      if (type === undefined) return false;
      if (!clientTypes.prefixes.some((prefix) => type.startsWith(prefix))) record.addHostedTool(type);
      return true;
    },
  });
}

/** The id or address of something stored elsewhere. */
export const referencePlace: Place = scalar(STRING | NULL, {
  takes(record, value) {
    if (value.kind === STRING) record.addReference();
    return true;
  },
});

/** Media as a URL: inline as a `data:` URL, else stored elsewhere. */
export function mediaUrl(isImage: boolean): Place {
  return scalar(STRING | NULL, {
    takes(record, value) {
      if (value.kind === NULL) return true;
      if (beginsWith(value.body, value, 'data:')) record.addInlineMedia(isImage, value.end - value.start);
      else record.addReference();
      return true;
    },
  });
}

/** Base64 text of audio, video or a document. */
export const otherMediaPlace: Place = scalar(STRING | NULL, {
  takes(record, value) {
    if (value.kind === STRING) record.addInlineMedia(false, value.end - value.start);
    return true;
  },
});

import { ANYTHING, object, oneOrMany, scalar, type FieldOptions, type FieldTable, type Place, type PlaceOptions } from './body-place.js';
import { spanOf, type BodyRecord } from './body-record.js';
import { NULL, STRING } from './json-kind.js';
import { beginsWith } from './json-text.js';
import { answersPlace, outputLimit, referencePlace, streamPlace, thinkingBudget, word } from './recorded-values.js';

// Source: Gemini API reference, "Generating content" and "Caching". Requests are protocol buffers written as JSON:
// names in camelCase or as in the .proto file (snake_case), `null` counts as absent, and the service takes one message
// where it expects a list.

const mimeType = scalar(STRING | NULL, {
  takes(record, value) {
    record.block.isImage = value.kind === STRING && beginsWith(value.body, value, 'image/');
    return true;
  },
});

const inlineBytes = scalar(STRING | NULL, {
  takes(record, value) {
    if (value.kind === STRING) {
      record.block.source = 'inline';
      record.block.dataBytes = value.end - value.start;
    }
    return true;
  },
});

const inlineData = message(
  { mimeType, data: inlineBytes },
  {
    or: NULL,
    opens(record) {
      record.openBlock();
    },
    closes(record) {
      const ended = record.closeBlock();
      if (ended.source === 'inline') record.addInlineMedia(ended.isImage, ended.dataBytes);
    },
  },
);

const fileData = message(undefined, { or: NULL, closes: addReference });

/** A function's answer may carry media of its own beside its free-form `response`. */
const functionResponse = message(
  { parts: oneOrMany(message({ inlineData, fileData }), { or: NULL }) },
  { or: NULL },
);

const content = message({ parts: oneOrMany(message({ inlineData, fileData, functionResponse }), { or: NULL }) });

const systemInstruction = message(
  { parts: oneOrMany(message({ inlineData, fileData }), { or: NULL }) },
  { or: NULL },
);

const generationConfig = message(
  {
    maxOutputTokens: outputLimit('maxOutputTokensSpan'),
    candidateCount: answersPlace,
    thinkingConfig: message({ thinkingBudget: thinkingBudget(-1) }, { or: NULL }),
  },
  {
    or: NULL,
    takes(record, value) {
      record.facts.generationConfigSpan = spanOf(value);
      return true;
    },
    closes(record, value) {
      record.facts.generationConfigSpan = spanOf(value);
      record.facts.generationConfigInsertAt = value.from + 1;
      record.facts.generationConfigEmpty = value.empty;
    },
  },
);

/** Each member of a tool is a tool; only function declarations are run by the client. */
const tool = message(
  { functionDeclarations: ANYTHING },
  {
    takesOther(record, name) {
      record.addHostedTool(camelCase(name));
    },
  },
);

/** `stream` is TokOne's own extension; the model stands in the path, and a `model` in the body means nothing. */
export const geminiContentBody: Place = message(
  {
    contents: oneOrMany(content),
    systemInstruction,
    generationConfig,
    tools: oneOrMany(tool, { or: NULL }),
    cachedContent: referencePlace,
    serviceTier: word('serviceTier'),
    stream: streamPlace,
  },
  { required: ['contents'] },
);

function message(fields: FieldTable | undefined, options: PlaceOptions & FieldOptions = {}): Place {
  return object(fields, { ...options, spellings: (name) => [snakeCase(name)] });
}

function addReference(record: BodyRecord): void {
  record.addReference();
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function camelCase(name: string): string {
  return name.replace(/_+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

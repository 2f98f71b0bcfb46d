import { giveFields, list, object, scalar, type Place } from './body-place.js';
import type { BodyRecord, OpenBlock } from './body-record.js';
import { ARRAY, NULL, STRING } from './json-kind.js';
import { NameTable } from './name-table.js';
import { modelPlace, outputLimit, streamPlace, thinkingBudget, toolType, word } from './recorded-values.js';

// Source: Anthropic API reference, "Messages", "Prompt caching", "Files" and the pages of the server tools.

/** Built-in tools that the client runs itself; all others of a type but `custom` run at Anthropic. */
const CLIENT_TOOL_PREFIXES = ['bash_', 'text_editor_', 'computer_', 'memory_'];

const SOURCE_OF_TYPE = new NameTable<OpenBlock['source']>([
  ['base64', 'inline'],
  ['text', 'text'],
  ['content', 'text'],
]);

const IS_IMAGE_OF_TYPE = new NameTable<boolean>([['image', true]]);

/** A file that a code execution has made stands in the history of a conversation, but is not read again. */
const IS_TOOL_OUTPUT_OF_TYPE = new NameTable<boolean>([
  ['code_execution_output', true],
  ['bash_code_execution_output', true],
]);

const ONE_HOUR = new NameTable<boolean>([['1h', true]]);

const cacheControl = object(
  {
    ttl: scalar(STRING | NULL, {
      takes(record, value) {
        if (value.kind === STRING && ONE_HOUR.find(value.body, value)) record.facts.asksOneHourCache = true;
        return true;
      },
    }),
  },
  {
    or: NULL,
    closes(record) {
      record.facts.asksCacheWrite = true;
    },
  },
);

const NO_THINKING = new NameTable<boolean>([['disabled', true]]);

/** `enabled` comes with a budget, `adaptive` with none; a type that comes later thinks too, for all that is known. */
const thinkingType = scalar(STRING | NULL, {
  takes(record, value) {
    if (value.kind === STRING) record.facts.thinking = NO_THINKING.find(value.body, value) ? 'off' : 'on';
    return true;
  },
});

const blockType = scalar(STRING, {
  takes(record, value) {
    record.block.isImage = IS_IMAGE_OF_TYPE.find(value.body, value) === true;
    record.block.isToolOutput = IS_TOOL_OUTPUT_OF_TYPE.find(value.body, value) === true;
    return true;
  },
});

const sourceType = scalar(STRING, {
  takes(record, value) {
    record.block.source = SOURCE_OF_TYPE.find(value.body, value) ?? 'stored';
    return true;
  },
});

const sourceData = scalar(STRING | NULL, {
  takes(record, value) {
    if (value.kind === STRING) record.block.dataBytes = value.end - value.start;
    return true;
  },
});

const fileId = scalar(STRING | NULL, {
  takes(record, value) {
    record.block.hasFileId = value.kind === STRING;
    return true;
  },
});

/** A source of no known type is something whose size nobody knows. */
function closeSource(record: BodyRecord): void {
  if (record.block.source === 'none') record.block.source = 'stored';
}

function openBlock(record: BodyRecord): void {
  record.openBlock();
}

function closeBlock(record: BodyRecord): void {
  const ended = record.closeBlock();
  if (ended.source === 'inline') record.addInlineMedia(ended.isImage, ended.dataBytes);
  if (ended.source === 'stored') record.addReference();
  if (ended.hasFileId && !ended.isToolOutput) record.addReference();
}

/** A block of content. */
const block = object(undefined, { opens: openBlock, closes: closeBlock });
const blocks = list(block, { or: STRING | NULL });
/** What a tool's result or a document's source holds: blocks again, or one alone. */
const innerContent = object(undefined, { or: ARRAY | STRING | NULL, opens: openBlock, closes: closeBlock });
innerContent.elements = block;

const blockFields = {
  type: blockType,
  source: object(
    { type: sourceType, data: sourceData, content: innerContent },
    { or: STRING | NULL, closes: closeSource },
  ),
  content: innerContent,
  file_id: fileId,
  cache_control: cacheControl,
};
giveFields(block, blockFields);
giveFields(innerContent, blockFields);

const tool = object({
  type: toolType({ names: ['custom'], prefixes: CLIENT_TOOL_PREFIXES }),
  cache_control: cacheControl,
});

const mcpServer = object(undefined, {
  closes(record) {
    record.addHostedTool('mcp_servers');
  },
});

/** The id of a container, or an object with its id and skills. */
const container = object(undefined, {
  or: STRING | NULL,
  takes(record, value) {
    if (value.kind === STRING) record.addReference();
    return true;
  },
  closes(record) {
    record.addReference();
  },
});

/** `max_tokens: 0` is allowed: it fills the prompt cache without an answer. */
export const anthropicMessagesBody: Place = object(
  {
    model: modelPlace,
    messages: list(object({ content: blocks })),
    max_tokens: outputLimit('maxTokensSpan', { min: 0, required: true }),
    system: blocks,
    stream: streamPlace,
    thinking: object({ type: thinkingType, budget_tokens: thinkingBudget(1) }, { or: NULL }),
    service_tier: word('serviceTier'),
    speed: word('speed'),
    inference_geo: word('inferenceGeo'),
    tools: list(tool, { or: NULL }),
    mcp_servers: list(mcpServer, { or: NULL }),
    container,
    cache_control: cacheControl,
  },
  { required: ['model', 'messages', 'max_tokens'] },
);

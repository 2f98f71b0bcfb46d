import type { Call, JsonObject, Prompt, ToolOffer } from '../dialect.js';
import { isObject, numberIf, objectOf, objectsOf, textIf, textOf } from '../json.js';
import { Refusal } from '../refusal.js';

/** Reads a body of POST /v1/chat/completions, after the OpenAI API reference, "Create chat completion". */
export function readOpenAiPrompt({ body }: Call): Prompt {
  refuseBadFields(body);
  const messages = objectsOf(body['messages']);
  const last = messages.at(-1) ?? {};
  const tools = objectsOf(body['tools']).map(readTool).filter((tool) => tool !== undefined);
  const model = textOf(body['model']);
  const format = objectOf(body['response_format']);
  return {
    model,
    streamed: body['stream'] === true,
    framing: 'sse',
    usageInStream: objectOf(body['stream_options'])['include_usage'] === true,
    inputBytes: messages.reduce((sum, message) => sum + bytesOf(message), 0) + (tools.length > 0 ? Buffer.byteLength(JSON.stringify(body['tools'])) : 0),
    mediaParts: messages.reduce((sum, message) => sum + objectsOf(message['content']).filter((part) => part['type'] !== 'text').length, 0),
    question: contentText(last['content']),
    answersTool: last['role'] === 'tool',
    choices: numberIf(body['n']) ?? 1,
    outputLimit: numberIf(body['max_completion_tokens']) ?? numberIf(body['max_tokens']),
    tools,
    toolChoice: readToolChoice(body['tool_choice']),
    answerSchema: format['type'] === 'json_schema' ? objectOf(objectOf(format['json_schema'])['schema']) : undefined,
    thinkingShown: false,
    serviceTier: servedTier(textIf(body['service_tier'])),
  };
}

function refuseBadFields(body: JsonObject): void {
  if (body['model'] === undefined) throw new Refusal(400, 'you must provide a model parameter');
  if (typeof body['model'] !== 'string') throw wrongType('model', 'a string', body['model']);
  if (body['model'].includes('nonexistent')) {
    throw new Refusal(404, `The model \`${body['model']}\` does not exist or you do not have access to it.`);
  }
  const messages = body['messages'];
  if (messages === undefined) throw new Refusal(400, "Missing required parameter: 'messages'.", { field: 'messages', code: 'missing_required_parameter' });
  if (!Array.isArray(messages)) throw wrongType('messages', 'an array of objects', messages);
  if (messages.length === 0) {
    const message = "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.";
    throw new Refusal(400, message, { field: 'messages', code: 'empty_array' });
  }
  messages.forEach((message, index) => {
    if (!isObject(message)) throw wrongType(`messages[${index}]`, 'an object', message);
    if (typeof message['role'] !== 'string') {
      throw new Refusal(400, `Missing required parameter: 'messages[${index}].role'.`, { field: `messages[${index}].role`, code: 'missing_required_parameter' });
    }
  });
  if (body['stream'] !== undefined && body['stream'] !== null && typeof body['stream'] !== 'boolean') throw wrongType('stream', 'a boolean', body['stream']);
  if (body['stream_options'] && body['stream'] !== true) {
    throw new Refusal(400, "The 'stream_options' parameter is only allowed when 'stream' is enabled.", { field: 'stream_options' });
  }
  for (const field of ['max_tokens', 'max_completion_tokens', 'n']) refuseBadCount(body, field);
  if ((numberIf(body['n']) ?? 1) > 128) throw tooMany('n', 128);
}

function refuseBadCount(body: JsonObject, field: string): void {
  const value = body[field];
  if (value === undefined || value === null) return;
  if (!Number.isInteger(value)) throw wrongType(field, 'an integer', value);
  if ((value as number) < 1) {
    const message = `Invalid '${field}': integer below minimum value. Expected a value >= 1, but got ${String(value)} instead.`;
    throw new Refusal(400, message, { field, code: 'integer_below_min_value' });
  }
}

function tooMany(field: string, most: number): Refusal {
  return new Refusal(400, `Invalid '${field}': integer above maximum value. Expected a value <= ${most}.`, { field, code: 'integer_above_max_value' });
}

function wrongType(field: string, expected: string, value: unknown): Refusal {
  const got = value === null ? 'null' : Array.isArray(value) ? 'an array' : `a ${typeof value}`;
  return new Refusal(400, `Invalid type for '${field}': expected ${expected}, but got ${got} instead.`, { field, code: 'invalid_type' });
}

function readTool(tool: JsonObject): ToolOffer | undefined {
  const definition = objectOf(tool['function']);
  return typeof definition['name'] === 'string' ? { name: definition['name'], parameters: objectOf(definition['parameters']) } : undefined;
}

function readToolChoice(choice: unknown): Prompt['toolChoice'] {
  if (choice === 'none' || choice === 'required') return choice;
  const name = textIf(objectOf(objectOf(choice)['function'])['name']);
  return name === undefined ? 'auto' : { name };
}

/** "auto" and no value are served as "default"; the reference says that the answer names the tier really used. */
function servedTier(requested: string | undefined): string {
  return requested === undefined || requested === 'auto' ? 'default' : requested;
}

function bytesOf(message: JsonObject): number {
  const calls = message['tool_calls'] === undefined ? 0 : Buffer.byteLength(JSON.stringify(message['tool_calls']));
  return Buffer.byteLength(contentText(message['content'])) + calls;
}

function contentText(content: unknown): string {
  if (typeof content === 'string') return content;
  return objectsOf(content).map((part) => textOf(part['text'])).join('\n');
}

import type { Call, JsonObject, Prompt, ToolOffer } from '../dialect.js';
import { isObject, numberIf, objectOf, objectsOf, textIf, textOf } from '../json.js';
import { Refusal } from '../refusal.js';

/** Reads a body of POST /v1/messages, after the Claude API reference, "Create a Message". */
export function readAnthropicPrompt({ headers, body }: Call): Prompt {
  if (!headers['anthropic-version']) throw new Refusal(400, 'anthropic-version: header is required');
  refuseBadFields(body);
  const messages = objectsOf(body['messages']);
  const last = messages.at(-1) ?? {};
  const tools = objectsOf(body['tools']).map(readTool).filter((tool) => tool !== undefined);
  const parts = messages.flatMap((message) => partsOf(message['content']));
  const texts = [...partsOf(body['system']), ...parts].map(partText);
  return {
    model: textOf(body['model']),
    streamed: body['stream'] === true,
    framing: 'sse',
    usageInStream: true,
    inputBytes: texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0) + (tools.length > 0 ? Buffer.byteLength(JSON.stringify(body['tools'])) : 0),
    mediaParts: parts.filter((part) => part['type'] === 'image' || part['type'] === 'document').length,
    question: partsOf(last['content']).map((part) => textOf(part['text'])).join('\n'),
    answersTool: partsOf(last['content']).some((part) => part['type'] === 'tool_result'),
    choices: 1,
    outputLimit: numberIf(body['max_tokens']),
    tools,
    toolChoice: readToolChoice(objectOf(body['tool_choice'])),
    answerSchema: schemaOf(body),
    thinkingShown: ['enabled', 'adaptive'].includes(textOf(objectOf(body['thinking'])['type'])),
    // Without a Priority Tier commitment, "auto" and "standard_only" are both served as "standard".
    serviceTier: 'standard',
  };
}

function refuseBadFields(body: JsonObject): void {
  for (const field of ['model', 'max_tokens', 'messages']) {
    if (body[field] === undefined) throw new Refusal(400, `${field}: Field required`);
  }
  if (typeof body['model'] !== 'string') throw new Refusal(400, 'model: Input should be a valid string');
  if (body['model'].includes('nonexistent')) throw new Refusal(404, `model: ${body['model']}`);
  const limit = body['max_tokens'];
  if (!Number.isInteger(limit)) throw new Refusal(400, 'max_tokens: Input should be a valid integer');
  if ((limit as number) < 1) throw new Refusal(400, 'max_tokens: Input should be greater than or equal to 1');
  const messages = body['messages'];
  if (!Array.isArray(messages)) throw new Refusal(400, 'messages: Input should be a valid list');
  if (messages.length === 0) throw new Refusal(400, 'messages: at least one message is required');
  messages.forEach((message, index) => refuseBadMessage(message, index));
  if (body['stream'] !== undefined && typeof body['stream'] !== 'boolean') throw new Refusal(400, 'stream: Input should be a valid boolean');
  refuseBadThinking(objectOf(body['thinking']), limit as number);
}

function refuseBadMessage(message: unknown, index: number): void {
  if (!isObject(message)) throw new Refusal(400, `messages.${index}: Input should be a valid dictionary`);
  if (message['role'] !== 'user' && message['role'] !== 'assistant') {
    throw new Refusal(400, `messages: Unexpected role "${textOf(message['role'])}". Allowed roles are "user" or "assistant".`);
  }
  if (message['content'] === undefined) throw new Refusal(400, `messages.${index}.content: Field required`);
}

function refuseBadThinking(thinking: JsonObject, limit: number): void {
  const budget = numberIf(thinking['budget_tokens']);
  if (thinking['type'] !== 'enabled' || budget === undefined) return;
  if (budget < 1024) throw new Refusal(400, 'thinking.enabled.budget_tokens: Input should be greater than or equal to 1024');
  if (budget >= limit) throw new Refusal(400, '`max_tokens` must be greater than `thinking.budget_tokens`.');
}

function readTool(tool: JsonObject): ToolOffer | undefined {
  return typeof tool['name'] === 'string' ? { name: tool['name'], parameters: objectOf(tool['input_schema']) } : undefined;
}

function readToolChoice(choice: JsonObject): Prompt['toolChoice'] {
  if (choice['type'] === 'none') return 'none';
  if (choice['type'] === 'any') return 'required';
  const name = textIf(choice['name']);
  return choice['type'] === 'tool' && name !== undefined ? { name } : 'auto';
}

function schemaOf(body: JsonObject): JsonObject | undefined {
  const format = objectOf(objectOf(body['output_config'])['format'] ?? body['output_format']);
  return format['type'] === 'json_schema' ? objectOf(format['schema']) : undefined;
}

function partsOf(content: unknown): JsonObject[] {
  return typeof content === 'string' ? [{ type: 'text', text: content }] : objectsOf(content);
}

/** All that a block adds to the context as text: a call's input and a result's content count too. */
function partText(part: JsonObject): string {
  if (typeof part['text'] === 'string') return part['text'];
  if (part['type'] === 'tool_use') return textOf(part['name']) + JSON.stringify(part['input'] ?? {});
  if (part['type'] === 'tool_result') return partsOf(part['content']).map(partText).join('');
  return textOf(part['thinking']);
}

import { chunksOf, reportedOutputTokens, type Answer, type Choice } from '../answer.js';
import type { AnswerText } from '../answer-text.js';
import type { JsonObject, StreamEvent } from '../dialect.js';
import type { ToolCall } from '../tool-call.js';

/** `Message` of the Claude API reference. */
export function writeAnthropicAnswer(answer: Answer): { body: JsonObject; usage: JsonObject | null } {
  const choice = firstChoice(answer);
  const usage = answer.usageReported ? usageOf(answer, reportedOutputTokens(answer, answer.tokens.output + answer.tokens.reasoning)) : null;
  const content = [
    ...(answer.thinking ? [{ type: 'thinking', thinking: answer.thinking.whole(), signature }] : []),
    ...(choice.text.tokenCount > 0 ? [{ type: 'text', text: choice.text.whole() }] : []),
    ...choice.toolCalls.map((call) => ({ type: 'tool_use', id: callIdOf(call), name: call.name, input: call.arguments })),
  ];
  return { body: messageOf(answer, { content, finish: finishOf(choice), usage }), usage };
}

/** The events of "Streaming Messages": message_start, blocks of start, deltas and stop, message_delta, message_stop, pings. */
export function* streamAnthropicAnswer(answer: Answer): Generator<StreamEvent> {
  const choice = firstChoice(answer);
  const startUsage = answer.usageReported ? usageOf(answer, 1) : null;
  yield event({ type: 'message_start', message: messageOf(answer, { content: [], finish: null, usage: startUsage }) }, {
    usage: startUsage ?? undefined,
    reasoningTokens: answer.thinking ? 0 : answer.tokens.reasoning,
  });
  let sent = answer.tokens.reasoning;
  let index = 0;
  for (const block of blocksOf(answer, choice)) {
    sent += block.openingTokens;
    yield event({ type: 'content_block_start', index, content_block: block.opening }, { outputTokens: block.openingTokens });
    if (index === 0) yield event({ type: 'ping' });
    for (const { text, tokens } of chunksOf(block.text, answer.chunkTokens)) {
      sent += block.thinking ? 0 : tokens;
      const counted = block.thinking ? { reasoningTokens: tokens } : { outputTokens: tokens };
      yield event({ type: 'content_block_delta', index, delta: block.delta(text) }, { content: true, ...counted });
    }
    for (const delta of block.closing) yield event({ type: 'content_block_delta', index, delta });
    yield event({ type: 'content_block_stop', index });
    index += 1;
  }
  const usage = answer.usageReported ? cumulativeUsageOf(answer, reportedOutputTokens(answer, sent)) : undefined;
  const delta = { container: null, stop_details: null, stop_reason: finishOf(choice), stop_sequence: null };
  yield event({ type: 'message_delta', delta, ...(usage ? { usage } : {}) }, { usage });
  yield event({ type: 'message_stop' }, { terminal: true, last: true });
}

interface Block {
  readonly opening: JsonObject;
  readonly text: AnswerText;
  readonly thinking: boolean;
  readonly delta: (text: string) => JsonObject;
  /** Deltas that end the block without adding text. */
  readonly closing: readonly JsonObject[];
  /** Tokens in the opening: a tool's name. */
  readonly openingTokens: number;
}

const signature = 'c2ltdWxhdGVkLXNpZ25hdHVyZQ==';

function* blocksOf(answer: Answer, choice: Choice): Generator<Block> {
  if (answer.thinking) {
    yield {
      opening: { type: 'thinking', thinking: '', signature: '' },
      text: answer.thinking,
      thinking: true,
      delta: (thinking) => ({ type: 'thinking_delta', thinking }),
      closing: [{ type: 'signature_delta', signature }],
      openingTokens: 0,
    };
  }
  if (choice.text.tokenCount > 0) {
    yield { opening: { type: 'text', text: '' }, text: choice.text, thinking: false, delta: (text) => ({ type: 'text_delta', text }), closing: [], openingTokens: 0 };
  }
  for (const call of choice.toolCalls) {
    yield {
      opening: { type: 'tool_use', id: callIdOf(call), name: call.name, input: {} },
      text: call.argumentsText,
      thinking: false,
      delta: (partial) => ({ type: 'input_json_delta', partial_json: partial }),
      closing: [],
      openingTokens: call.nameTokens,
    };
  }
}

function event(payload: JsonObject & { type: string }, carries: Partial<StreamEvent> = {}): StreamEvent {
  return { name: payload.type, data: JSON.stringify(payload), ...carries };
}

function messageOf(answer: Answer, part: { content: readonly JsonObject[]; finish: string | null; usage: JsonObject | null }): JsonObject {
  return {
    id: answer.identity.answerId,
    type: 'message',
    role: 'assistant',
    model: answer.prompt.model,
    content: part.content,
    container: null,
    stop_reason: part.finish,
    stop_sequence: null,
    stop_details: null,
    ...(part.usage ? { usage: part.usage } : {}),
  };
}

/** `input_tokens` excludes both cache classes; `output_tokens` includes thinking. */
function usageOf(answer: Answer, output: number): JsonObject {
  return {
    ...cumulativeUsageOf(answer, output),
    cache_creation: {
      ephemeral_5m_input_tokens: answer.tokens.cacheWrite5m,
      ephemeral_1h_input_tokens: answer.tokens.cacheWrite1h,
    },
    inference_geo: 'not_available',
    service_tier: answer.serviceTier,
    speed: null,
  };
}

/** `MessageDeltaUsage` has no split of the cache writes: that stands in message_start only. */
function cumulativeUsageOf(answer: Answer, output: number): JsonObject {
  const { input, cacheRead, cacheWrite5m, cacheWrite1h, reasoning } = answer.tokens;
  return {
    input_tokens: input,
    cache_creation_input_tokens: cacheWrite5m + cacheWrite1h,
    cache_read_input_tokens: cacheRead,
    output_tokens: output,
    output_tokens_details: reasoning > 0 ? { thinking_tokens: reasoning } : null,
    server_tool_use: answer.webSearches > 0 ? { web_search_requests: answer.webSearches, web_fetch_requests: 0 } : null,
  };
}

function firstChoice(answer: Answer): Choice {
  const choice = answer.choices[0];
  if (!choice) throw new Error('An answer has at least one choice.');
  return choice;
}

const finishWords: Readonly<Record<string, string>> = { stop: 'end_turn', length: 'max_tokens', tool: 'tool_use', filter: 'refusal' };

function finishOf(choice: Choice): string {
  return finishWords[choice.finish] ?? choice.finish;
}

function callIdOf(call: ToolCall): string {
  return `toolu_${call.id}`;
}

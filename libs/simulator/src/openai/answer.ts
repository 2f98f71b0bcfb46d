import { chunksOf, reportedOutputTokens, type Answer, type Choice } from '../answer.js';
import type { JsonObject, StreamEvent } from '../dialect.js';
import type { ToolCall } from '../tool-call.js';

/** `chat.completion` of the OpenAI API reference ("The chat completion object"). */
export function writeOpenAiAnswer(answer: Answer): { body: JsonObject; usage: JsonObject | null } {
  const usage = answer.usageReported ? usageOf(answer, answer.tokens.output) : null;
  const body = {
    id: answer.identity.answerId,
    object: 'chat.completion',
    created: createdOf(answer),
    model: answer.prompt.model,
    choices: answer.choices.map((choice, index) => ({
      index,
      message: messageOf(choice),
      logprobs: null,
      finish_reason: finishOf(choice),
    })),
    ...(usage ? { usage } : {}),
    service_tier: answer.serviceTier,
    system_fingerprint: 'fp_simulator',
  };
  return { body, usage };
}

/** `chat.completion.chunk`: a role chunk for each choice, deltas in turn, a finish chunk for each, usage if asked, `[DONE]`. */
export function* streamOpenAiAnswer(answer: Answer): Generator<StreamEvent> {
  const chunk = chunkWriter(answer);
  let sent = 0;
  for (const index of answer.choices.keys()) {
    yield { data: chunk(index, { role: 'assistant', content: '', refusal: null }), reasoningTokens: index === 0 ? answer.tokens.reasoning : 0 };
  }
  for (const { index, delta, tokens } of inTurns(answer)) {
    sent += tokens;
    yield { data: chunk(index, delta), content: true, outputTokens: tokens };
  }
  for (const [index, choice] of answer.choices.entries()) yield { data: chunk(index, {}, finishOf(choice)) };
  if (answer.prompt.usageInStream && answer.usageReported) {
    const usage = usageOf(answer, sent);
    yield { data: JSON.stringify({ ...chunkFrame(answer), choices: [], usage }), usage };
  }
  yield { data: '[DONE]', terminal: true, last: true };
}

interface Turn {
  readonly index: number;
  readonly delta: JsonObject;
  readonly tokens: number;
}

/** Choices of one request are generated at the same time, so their chunks alternate. */
function* inTurns(answer: Answer): Generator<Turn> {
  const running = answer.choices.map((choice, index) => deltasOf(choice, index, answer.chunkTokens));
  while (running.length > 0) {
    for (const turns of [...running]) {
      const next = turns.next();
      if (next.done) running.splice(running.indexOf(turns), 1);
      else yield next.value;
    }
  }
}

function* deltasOf(choice: Choice, index: number, chunkTokens: number): Generator<Turn> {
  for (const { text, tokens } of chunksOf(choice.text, chunkTokens)) yield { index, delta: { content: text }, tokens };
  for (const [position, call] of choice.toolCalls.entries()) {
    const opening = { index: position, id: callIdOf(call), type: 'function', function: { name: call.name, arguments: '' } };
    yield { index, delta: { tool_calls: [opening] }, tokens: call.nameTokens };
    for (const { text, tokens } of chunksOf(call.argumentsText, chunkTokens)) {
      yield { index, delta: { tool_calls: [{ index: position, function: { arguments: text } }] }, tokens };
    }
  }
}

function chunkWriter(answer: Answer): (index: number, delta: JsonObject, finish?: string) => string {
  const head = JSON.stringify(chunkFrame(answer)).slice(0, -1);
  const tail = answer.prompt.usageInStream && answer.usageReported ? ',"usage":null}' : '}';
  return (index, delta, finish) =>
    `${head},"choices":[{"index":${index},"delta":${JSON.stringify(delta)},"logprobs":null,"finish_reason":${finish ? JSON.stringify(finish) : 'null'}}]${tail}`;
}

function chunkFrame(answer: Answer): JsonObject {
  return {
    id: answer.identity.answerId,
    object: 'chat.completion.chunk',
    created: createdOf(answer),
    model: answer.prompt.model,
    service_tier: answer.serviceTier,
    system_fingerprint: 'fp_simulator',
  };
}

/** Cached and written tokens are inside `prompt_tokens`, reasoning is inside `completion_tokens`. */
function usageOf(answer: Answer, sent: number): JsonObject {
  const { input, cacheRead, cacheWrite5m, cacheWrite1h, reasoning } = answer.tokens;
  const prompt = input + cacheRead + cacheWrite5m + cacheWrite1h;
  const completion = reportedOutputTokens(answer, sent + reasoning);
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: cacheRead, audio_tokens: 0, cache_write_tokens: cacheWrite5m + cacheWrite1h },
    completion_tokens_details: {
      reasoning_tokens: reasoning,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
}

function messageOf(choice: Choice): JsonObject {
  const calls = choice.toolCalls.map((call) => ({
    id: callIdOf(call),
    type: 'function',
    function: { name: call.name, arguments: call.argumentsText.whole() },
  }));
  const called = calls.length > 0;
  return { role: 'assistant', content: called ? null : choice.text.whole(), ...(called ? { tool_calls: calls } : {}), refusal: null, annotations: [] };
}

const finishWords: Readonly<Record<string, string>> = { tool: 'tool_calls', filter: 'content_filter' };

function finishOf(choice: Choice): string {
  return finishWords[choice.finish] ?? choice.finish;
}

function callIdOf(call: ToolCall): string {
  return `call_${call.id}`;
}

function createdOf(answer: Answer): number {
  return Math.floor(answer.identity.startedAtMs / 1000);
}

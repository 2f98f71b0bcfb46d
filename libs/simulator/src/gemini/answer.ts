import { chunksOf, reportedOutputTokens, type Answer, type Choice } from '../answer.js';
import type { JsonObject, StreamEvent } from '../dialect.js';
import type { ToolCall } from '../tool-call.js';

/** `GenerateContentResponse` of the Gemini API reference. */
export function writeGeminiAnswer(answer: Answer): { body: JsonObject; usage: JsonObject | null } {
  const usage = answer.usageReported ? usageOf(answer, answer.tokens.output) : null;
  const thoughts = answer.thinking ? [{ text: answer.thinking.whole(), thought: true }] : [];
  const candidates = answer.choices.map((choice, index) => ({
    content: { parts: [...thoughts, ...partsOf(choice)], role: 'model' },
    finishReason: finishOf(choice),
    index,
  }));
  return { body: responseOf(answer, candidates, usage), usage };
}

/** The same object again and again: each carries the next text and the running usage; the last one has the finish reason. */
export function* streamGeminiAnswer(answer: Answer): Generator<StreamEvent> {
  let sent = 0;
  const write = (candidates: JsonObject[]): Pick<StreamEvent, 'data' | 'usage'> => {
    const usage = answer.usageReported ? usageOf(answer, sent) : null;
    return { data: JSON.stringify(responseOf(answer, candidates, usage)), usage: usage ?? undefined };
  };
  let hiddenReasoning = answer.thinking ? 0 : answer.tokens.reasoning;
  if (answer.thinking) {
    for (const { text, tokens } of chunksOf(answer.thinking, answer.chunkTokens)) {
      yield { ...write([candidateOf(0, [{ text, thought: true }])]), content: true, reasoningTokens: tokens };
    }
  }
  for (const { candidates, tokens } of roundsOf(answer)) {
    sent += tokens;
    yield { ...write(candidates), content: true, outputTokens: tokens, reasoningTokens: hiddenReasoning };
    hiddenReasoning = 0;
  }
  const closing = answer.choices.map((choice, index) => ({ ...candidateOf(index, [{ text: '' }]), finishReason: finishOf(choice) }));
  yield { ...write(closing), reasoningTokens: hiddenReasoning, last: true };
}

interface Round {
  readonly candidates: JsonObject[];
  readonly tokens: number;
}

/** One chunk of each unfinished candidate at a time. A function call always comes whole. */
function* roundsOf(answer: Answer): Generator<Round> {
  const running = answer.choices.map((choice, index) => ({ index, turns: turnsOf(choice, answer.chunkTokens) }));
  while (true) {
    const candidates: JsonObject[] = [];
    let tokens = 0;
    for (const { index, turns } of running) {
      const next = turns.next();
      if (next.done) continue;
      candidates.push(candidateOf(index, [next.value.part]));
      tokens += next.value.tokens;
    }
    if (candidates.length === 0) return;
    yield { candidates, tokens };
  }
}

function* turnsOf(choice: Choice, chunkTokens: number): Generator<{ part: JsonObject; tokens: number }> {
  for (const { text, tokens } of chunksOf(choice.text, chunkTokens)) yield { part: { text }, tokens };
  for (const call of choice.toolCalls) yield { part: callPart(call), tokens: call.tokenCount };
}

function partsOf(choice: Choice): JsonObject[] {
  return choice.toolCalls.length > 0 ? choice.toolCalls.map(callPart) : [{ text: choice.text.whole() }];
}

function callPart(call: ToolCall): JsonObject {
  return { functionCall: { id: call.id, name: call.name, args: call.arguments } };
}

function candidateOf(index: number, parts: readonly JsonObject[]): JsonObject {
  return { content: { parts, role: 'model' }, index };
}

function responseOf(answer: Answer, candidates: readonly JsonObject[], usage: JsonObject | null): JsonObject {
  return {
    candidates,
    ...(usage ? { usageMetadata: usage } : {}),
    modelVersion: answer.prompt.model,
    responseId: answer.identity.answerId,
  };
}

/** Cached tokens are inside the prompt count, thoughts are outside the candidates; the API has no cache-write class. */
function usageOf(answer: Answer, sent: number): JsonObject {
  const { input, cacheRead, cacheWrite5m, cacheWrite1h, reasoning } = answer.tokens;
  const prompt = input + cacheRead + cacheWrite5m + cacheWrite1h;
  const candidates = reportedOutputTokens(answer, sent);
  return {
    promptTokenCount: prompt,
    candidatesTokenCount: candidates,
    totalTokenCount: prompt + candidates + reasoning,
    ...(cacheRead > 0 ? { cachedContentTokenCount: cacheRead, cacheTokensDetails: [{ modality: 'TEXT', tokenCount: cacheRead }] } : {}),
    promptTokensDetails: [{ modality: 'TEXT', tokenCount: prompt }],
    ...(reasoning > 0 ? { thoughtsTokenCount: reasoning } : {}),
    serviceTier: answer.serviceTier,
  };
}

/** A function call ends with STOP in this API. */
const finishWords: Readonly<Record<string, string>> = { stop: 'STOP', length: 'MAX_TOKENS', tool: 'STOP', filter: 'SAFETY' };

function finishOf(choice: Choice): string {
  return finishWords[choice.finish] ?? choice.finish;
}

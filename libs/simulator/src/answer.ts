import { AnswerText, seedOf, tokensOfBytes } from './answer-text.js';
import type { Dialect, Identity, Prompt } from './dialect.js';
import type { Directives } from './directives.js';
import { callTools, exampleOf, type ToolCall } from './tool-call.js';

/** Tokens by class, disjoint: no class contains another, whatever the provider's own totals include. */
export interface TokenClasses {
  input: number;
  cacheRead: number;
  cacheWrite5m: number;
  cacheWrite1h: number;
  output: number;
  reasoning: number;
}

/** `stop`, `length`, `tool` and `filter` are written in the provider's words; anything else goes out as it is. */
export type Finish = string;

export interface Choice {
  readonly text: AnswerText;
  readonly toolCalls: readonly ToolCall[];
  readonly finish: Finish;
}

/** Everything that a dialect needs to write a whole answer or a stream. Planned before the first byte goes out. */
export interface Answer {
  readonly prompt: Prompt;
  readonly identity: Identity;
  readonly choices: readonly Choice[];
  /** Input classes and reasoning as they will be reported; output of an endless answer is Infinity. */
  readonly tokens: Readonly<TokenClasses>;
  /** The model's thinking, when the request asked to see it. */
  readonly thinking?: AnswerText;
  readonly usageReported: boolean;
  /** Calls of the hosted web search that usage claims. */
  readonly webSearches: number;
  /** Overrules the output that usage claims. */
  readonly reportedOutput?: number;
  readonly serviceTier?: string;
  readonly chunkTokens: number;
}

export interface AnswerPlan {
  readonly prompt: Prompt;
  readonly identity: Identity;
  readonly directives: Directives;
  readonly dialect: Dialect;
  readonly defaultChunkTokens: number;
}

export function planAnswer(plan: AnswerPlan): Answer {
  const { prompt, directives, identity } = plan;
  const limit = directives.flag('endless') || directives.number('big') !== undefined ? Infinity : (prompt.outputLimit ?? Infinity);
  const reasoning = Math.min(directives.number('reasoning-tokens') ?? 0, limit);
  const choices = Array.from({ length: prompt.choices }, (_, index) => planChoice(plan, index, limit - reasoning));
  const output = choices.reduce((sum, choice) => sum + outputTokensOf(choice), 0);
  return {
    prompt,
    identity,
    choices,
    tokens: { ...inputTokens(plan), output, reasoning },
    thinking: prompt.thinkingShown && reasoning > 0 ? AnswerText.written(seedOf(prompt.question), reasoning) : undefined,
    usageReported: !directives.flag('no-usage'),
    webSearches: directives.number('web-searches') ?? 0,
    reportedOutput: directives.number('reported-output-tokens'),
    serviceTier: directives.word('service-tier') ?? prompt.serviceTier,
    chunkTokens: Math.max(1, directives.number('chunk-tokens') ?? plan.defaultChunkTokens),
  };
}

/** The output that usage claims once `sent` tokens of text have gone out. */
export function reportedOutputTokens(answer: Answer, sent: number): number {
  return answer.reportedOutput ?? sent;
}

export function outputTokensOf(choice: Choice): number {
  return choice.text.tokenCount + choice.toolCalls.reduce((sum, call) => sum + call.tokenCount, 0);
}

function planChoice(plan: AnswerPlan, index: number, limit: number): Choice {
  const { prompt, directives } = plan;
  const seed = seedOf(prompt.question) + index;
  const asked = directives.word('finish');
  const calls = directives.number('output-tokens') === undefined ? callTools(prompt, seed) : [];
  const callTokens = calls.reduce((sum, call) => sum + call.tokenCount, 0);
  // Tool calls that do not fit the limit are dropped for text: half a JSON argument would help nobody's test.
  if (calls.length > 0 && callTokens <= limit) {
    return { text: AnswerText.literal(''), toolCalls: calls, finish: normalFinish(asked) ?? 'tool' };
  }
  const full = textFor(prompt, directives, seed);
  const text = full.limitedTo(limit);
  return { text, toolCalls: [], finish: normalFinish(asked) ?? (text.tokenCount < full.tokenCount ? 'length' : 'stop') };
}

function textFor(prompt: Prompt, directives: Directives, seed: number): AnswerText {
  const big = directives.number('big');
  const asked = directives.flag('endless') ? Infinity : (directives.number('output-tokens') ?? (big === undefined ? undefined : tokensOfBytes(big)));
  if (directives.flag('multibyte')) return AnswerText.multibyte(seed, asked);
  if (asked !== undefined) return AnswerText.written(seed, asked);
  if (prompt.question.includes('Reply with OK')) return AnswerText.literal('OK');
  if (prompt.answerSchema) return AnswerText.literal(JSON.stringify(exampleOf(prompt.answerSchema, seed)));
  return AnswerText.written(seed);
}

function inputTokens({ prompt, directives, dialect }: AnswerPlan): Pick<TokenClasses, 'input' | 'cacheRead' | 'cacheWrite5m' | 'cacheWrite1h'> {
  return {
    input: directives.number('input-tokens') ?? tokensOfBytes(prompt.inputBytes) + prompt.mediaParts * dialect.mediaTokens,
    cacheRead: directives.number('cache-read') ?? 0,
    cacheWrite5m: dialect.cacheWriteLifetimes.includes('5m') ? (directives.number('cache-write') ?? 0) : 0,
    cacheWrite1h: dialect.cacheWriteLifetimes.includes('1h') ? (directives.number('cache-write-1h') ?? 0) : 0,
  };
}

const finishSynonyms: Readonly<Record<string, Finish>> = {
  stop: 'stop', end_turn: 'stop', STOP: 'stop',
  length: 'length', max_tokens: 'length', MAX_TOKENS: 'length',
  tool: 'tool', tool_calls: 'tool', tool_use: 'tool',
  filter: 'filter', content_filter: 'filter', refusal: 'filter', SAFETY: 'filter',
};

function normalFinish(word: string | undefined): Finish | undefined {
  return word === undefined ? undefined : (finishSynonyms[word] ?? word);
}

/** Walks a choice's text in chunks of a stream. */
export function* chunksOf(text: AnswerText, chunkTokens: number): Generator<{ text: string; tokens: number }> {
  for (let from = 0; from < text.tokenCount; from += chunkTokens) {
    const to = Math.min(from + chunkTokens, text.tokenCount);
    yield { text: text.slice(from, to), tokens: to - from };
  }
}

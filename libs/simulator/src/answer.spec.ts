import { describe, expect, it } from '@jest/globals';
import { anthropicDialect } from './anthropic/dialect.js';
import { chunksOf, outputTokensOf, planAnswer } from './answer.js';
import { AnswerText } from './answer-text.js';
import type { Dialect, Prompt } from './dialect.js';
import { Directives } from './directives.js';
import { geminiDialect } from './gemini/dialect.js';
import { openAiDialect } from './openai/dialect.js';

const prompt: Prompt = {
  model: 'm',
  streamed: false,
  framing: 'sse',
  usageInStream: true,
  inputBytes: 41,
  mediaParts: 0,
  question: 'hi',
  answersTool: false,
  choices: 1,
  tools: [],
  toolChoice: 'auto',
  thinkingShown: false,
};

function plan(asked: string, more: Partial<Prompt> = {}, dialect: Dialect = openAiDialect) {
  const identity = { requestId: 'r', answerId: 'a', startedAtMs: 0 };
  return planAnswer({ prompt: { ...prompt, ...more }, directives: Directives.read(`[[sim: ${asked}]]`), identity, dialect, defaultChunkTokens: 4 });
}

describe('the plan of an answer', () => {
  it('counts four bytes of prompt as a token, and media apart', () => {
    expect(plan('').tokens.input).toBe(11);
    expect(plan('', { mediaParts: 2 }).tokens.input).toBe(11 + 2 * openAiDialect.mediaTokens);
  });

  it('lets the limit hold for reasoning and text together', () => {
    const { tokens, choices } = plan('reasoning-tokens=6 output-tokens=10', { outputLimit: 10 });
    expect(tokens).toMatchObject({ reasoning: 6, output: 4 });
    expect(choices[0]?.finish).toBe('length');
    expect(plan('reasoning-tokens=60', { outputLimit: 10 }).tokens).toMatchObject({ reasoning: 10, output: 0 });
  });

  it('does not call it truncated when the text just fits', () => {
    expect(plan('output-tokens=10', { outputLimit: 10 }).choices[0]?.finish).toBe('stop');
  });

  it('drops the limit for an endless and a big answer', () => {
    expect(plan('endless', { outputLimit: 10 }).tokens.output).toBe(Infinity);
    expect(plan('big=400', { outputLimit: 10 }).tokens.output).toBe(100);
  });

  it.each([
    [openAiDialect, { cacheWrite5m: 3, cacheWrite1h: 0 }],
    [anthropicDialect, { cacheWrite5m: 3, cacheWrite1h: 5 }],
    [geminiDialect, { cacheWrite5m: 0, cacheWrite1h: 0 }],
  ])('counts only the cache writes that the provider can report', (dialect, written) => {
    expect(plan('cache-write=3 cache-write-1h=5', {}, dialect).tokens).toMatchObject(written);
  });

  it('answers in text when a tool call does not fit the limit', () => {
    const tools = [{ name: 'find', parameters: { properties: { query: { type: 'string' } } } }];
    expect(plan('', { tools, question: 'find it' }).choices[0]).toMatchObject({ finish: 'tool', toolCalls: [{ name: 'find' }] });
    expect(plan('', { tools, question: 'find it', outputLimit: 2 }).choices[0]).toMatchObject({ finish: 'length', toolCalls: [] });
  });

  it('sums the tokens of its chunks to those of the choice', () => {
    const chunks = [...chunksOf(AnswerText.written(1, 10), 4)];
    expect(chunks.map((chunk) => chunk.tokens)).toEqual([4, 4, 2]);
    const [choice] = plan('output-tokens=10').choices;
    expect(choice && outputTokensOf(choice)).toBe(10);
  });
});

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { noTokens, totalInputTokens, totalOutputTokens } from '../token-usage.js';
import { readOpenaiChatUsage } from './openai-chat-usage.js';

describe('readOpenaiChatUsage', () => {
  it('takes cached, cache-written, audio and reasoning tokens out of the totals that include them', () => {
    const usage = readOpenaiChatUsage(
      {
        prompt_tokens: 2006,
        completion_tokens: 300,
        total_tokens: 2306,
        prompt_tokens_details: { cached_tokens: 1920, audio_tokens: 20, cache_write_tokens: 10 },
        completion_tokens_details: {
          reasoning_tokens: 192,
          audio_tokens: 8,
          accepted_prediction_tokens: 5,
          rejected_prediction_tokens: 7,
        },
      },
      true,
    )!;
    expect(usage.tokens).toEqual({
      ...noTokens(),
      input: 56,
      cacheRead: 1920,
      cacheWrite5m: 10,
      inputAudio: 20,
      output: 100,
      reasoning: 192,
      outputAudio: 8,
    });
    expect(usage).toMatchObject({ final: true, odd: false, units: {}, serviceTier: undefined });
  });

  it('reads usage without details', () => {
    const usage = readOpenaiChatUsage({ prompt_tokens: 9, completion_tokens: 12, total_tokens: 21 }, false)!;
    expect(usage.tokens).toEqual({ ...noTokens(), input: 9, output: 12 });
    expect(usage.raw).toBe('{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21}');
    expect(usage.final).toBe(false);
  });

  it('adds reasoning that an upstream counts outside completion_tokens', () => {
    const usage = readOpenaiChatUsage(
      {
        prompt_tokens: 10,
        completion_tokens: 5,
        total_tokens: 115,
        completion_tokens_details: { reasoning_tokens: 100 },
      },
      true,
    )!;
    expect(usage.tokens).toEqual({ ...noTokens(), input: 10, output: 5, reasoning: 100 });
    expect(usage.odd).toBe(false);
  });

  it.each([
    ['more cached than prompt', { prompt_tokens: 10, prompt_tokens_details: { cached_tokens: 11 } }, { cacheRead: 10 }],
    ['a negative count', { prompt_tokens: -5, completion_tokens: 3 }, { output: 3 }],
    ['a fraction', { prompt_tokens: 2.5, completion_tokens: 3 }, { input: 2, output: 3 }],
    ['an absurd count', { prompt_tokens: 1e15, completion_tokens: 0 }, { input: 2 ** 40 }],
    ['a count as text', { prompt_tokens: 7, completion_tokens: '3' }, { input: 7 }],
    ['a total that does not add up', { prompt_tokens: 1, completion_tokens: 2, total_tokens: 4 }, { input: 1, output: 2 }],
  ])('clamps and flags %s', (_name, usage, expected) => {
    const read = readOpenaiChatUsage(usage, true)!;
    expect(read.odd).toBe(true);
    expect(read.tokens).toEqual({ ...noTokens(), ...expected });
  });

  it.each([[null], [undefined], [{}], ['x'], [[1]], [{ prompt_tokens: null, completion_tokens: 'x' }]])(
    'finds no usage in %j',
    (value) => {
      expect(readOpenaiChatUsage(value, true)).toBeUndefined();
    },
  );

  it('always adds up to the totals of the provider, whatever the parts say', () => {
    const count = fc.nat(1000);
    fc.assert(
      fc.property(count, count, count, count, count, count, count, (p, c, cached, written, audio, reasoning, sound) => {
        const { tokens } = readOpenaiChatUsage(
          {
            prompt_tokens: p,
            completion_tokens: c,
            total_tokens: p + c,
            prompt_tokens_details: { cached_tokens: cached, audio_tokens: audio, cache_write_tokens: written },
            completion_tokens_details: { reasoning_tokens: reasoning, audio_tokens: sound },
          },
          true,
        )!;
        expect(totalInputTokens(tokens)).toBe(p);
        expect(totalOutputTokens(tokens)).toBe(c);
        expect(Math.min(...Object.values(tokens))).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  it('keeps the raw record below 4 KiB', () => {
    const usage = readOpenaiChatUsage({ prompt_tokens: 1, completion_tokens: 2, note: 'x'.repeat(10_000) }, true)!;
    expect(JSON.parse(usage.raw)).toEqual({ prompt_tokens: 1, completion_tokens: 2 });
  });
});

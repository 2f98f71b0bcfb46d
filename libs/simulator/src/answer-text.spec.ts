import { describe, expect, it } from '@jest/globals';
import { AnswerText, bytesPerToken, seedOf } from './answer-text.js';

describe('answer text', () => {
  it('is the same for the same prompt and differs between prompts', () => {
    expect(AnswerText.written(seedOf('a')).whole()).toBe(AnswerText.written(seedOf('a')).whole());
    expect(AnswerText.written(seedOf('a')).whole()).not.toBe(AnswerText.written(seedOf('b')).whole());
  });

  it.each([1, 63, 64, 1000])('has exactly four bytes for each of %i tokens asked for', (tokens) => {
    expect(Buffer.byteLength(AnswerText.written(7, tokens).whole())).toBe(tokens * bytesPerToken);
    expect(Buffer.byteLength(AnswerText.multibyte(7, tokens).whole())).toBe(tokens * bytesPerToken);
  });

  it('has four bytes in every token of multi-byte text', () => {
    const text = AnswerText.multibyte(3, 200);
    for (let index = 0; index < 200; index += 1) expect(Buffer.byteLength(text.slice(index, index + 1))).toBe(bytesPerToken);
  });

  it('joins to the whole however it is cut', () => {
    const text = AnswerText.literal('A literal with é and 😀 in it.');
    const cut = Array.from({ length: text.tokenCount }, (_, index) => text.slice(index, index + 1)).join('');
    expect(cut).toBe('A literal with é and 😀 in it.');
    expect(cut).toBe(text.whole());
  });

  it('can be cut out of a text without end', () => {
    const endless = AnswerText.written(1, Infinity);
    expect(endless.slice(1_000_000, 1_000_010)).toHaveLength(40);
    expect(endless.limitedTo(3).whole()).toHaveLength(12);
  });
});

import { describe, expect, it } from '@jest/globals';
import { TOKEN_CLASSES, noTokens, totalInputTokens, totalOutputTokens } from './token-usage.js';

describe('token classes', () => {
  it('are counted in input or in output, each once', () => {
    const usage = noTokens();
    TOKEN_CLASSES.forEach((name, index) => (usage[name] = 10 ** index));
    expect(totalInputTokens(usage)).toBe(11_111);
    expect(totalOutputTokens(usage)).toBe(111_100_000);
    expect(totalInputTokens(usage) + totalOutputTokens(usage)).toBe(111_111_111);
  });

  it('are all there in a usage of nothing, which is new each time', () => {
    expect(Object.keys(noTokens()).sort()).toEqual([...TOKEN_CLASSES].sort());
    expect(Object.values(noTokens()).every((count) => count === 0)).toBe(true);
    expect(noTokens()).not.toBe(noTokens());
  });
});

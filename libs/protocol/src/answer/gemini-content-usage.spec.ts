import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { noTokens, totalInputTokens, totalOutputTokens } from '../token-usage.js';
import { readGeminiContentUsage } from './gemini-content-usage.js';

describe('readGeminiContentUsage', () => {
  it('takes cached and audio tokens out of the prompt and adds tool results and thoughts', () => {
    const usage = readGeminiContentUsage(
      {
        promptTokenCount: 1000,
        cachedContentTokenCount: 600,
        toolUsePromptTokenCount: 50,
        candidatesTokenCount: 300,
        thoughtsTokenCount: 70,
        totalTokenCount: 1420,
        promptTokensDetails: [
          { modality: 'TEXT', tokenCount: 840 },
          { modality: 'AUDIO', tokenCount: 160 },
        ],
        cacheTokensDetails: [{ modality: 'AUDIO', tokenCount: 60 }],
        candidatesTokensDetails: [
          { modality: 'TEXT', tokenCount: 30 },
          { modality: 'IMAGE', tokenCount: 258 },
          { modality: 'AUDIO', tokenCount: 12 },
        ],
      },
      true,
    )!;
    expect(usage.tokens).toEqual({
      ...noTokens(),
      input: 350,
      cacheRead: 600,
      inputAudio: 100,
      output: 30,
      outputImage: 258,
      outputAudio: 12,
      reasoning: 70,
    });
    expect(usage.odd).toBe(false);
  });

  it('reads the count of a prompt that got no candidate', () => {
    const usage = readGeminiContentUsage({ promptTokenCount: 7, totalTokenCount: 7 }, true)!;
    expect(usage.tokens).toEqual({ ...noTokens(), input: 7 });
  });

  it.each([
    [{ serviceTier: 'FLEX' }, 'flex'],
    [{ trafficType: 'ON_DEMAND_PRIORITY' }, 'priority'],
    [{ trafficType: 'PROVISIONED_THROUGHPUT' }, undefined],
    [{}, undefined],
  ])('reads the tier of %j', (extra, tier) => {
    expect(readGeminiContentUsage({ promptTokenCount: 1, ...extra }, true)!.serviceTier).toBe(tier);
  });

  it('adds up to the total of the provider, whatever the details say', () => {
    const count = fc.nat(1000);
    fc.assert(
      fc.property(count, count, count, count, count, count, (prompt, cached, audio, candidates, thoughts, image) => {
        const { tokens } = readGeminiContentUsage(
          {
            promptTokenCount: prompt,
            cachedContentTokenCount: cached,
            candidatesTokenCount: candidates,
            thoughtsTokenCount: thoughts,
            totalTokenCount: prompt + candidates + thoughts,
            promptTokensDetails: [{ modality: 'AUDIO', tokenCount: audio }],
            candidatesTokensDetails: [{ modality: 'IMAGE', tokenCount: image }],
          },
          true,
        )!;
        expect(totalInputTokens(tokens) + totalOutputTokens(tokens)).toBe(prompt + candidates + thoughts);
        expect(Math.min(...Object.values(tokens))).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  it.each([
    [{ promptTokenCount: 5, candidatesTokenCount: -1 }],
    [{ promptTokenCount: 5, cachedContentTokenCount: 6 }],
    [{ promptTokenCount: 5, totalTokenCount: 6 }],
  ])('flags %j', (usage) => {
    expect(readGeminiContentUsage(usage, true)!.odd).toBe(true);
  });
});

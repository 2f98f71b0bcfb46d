import { describe, expect, it } from '@jest/globals';
import { passBody } from '@tokone/protocol';
import type { BodyFacts } from '@tokone/protocol';
import { inputEstimate } from './input-estimate.js';

const { facts } = passBody('openai-chat', Buffer.from('{"model":"m","messages":[]}'));
const plain = facts as BodyFacts;

describe('the tokens of a body', () => {
  it.each<[string, Partial<BodyFacts>, number, { heldTokens: number; estimatedTokens: number }]>([
    ['one for two bytes of text, and one for four as the usual', {}, 1_000, { heldTokens: 500, estimatedTokens: 250 }],
    ['rounded up', {}, 1, { heldTokens: 1, estimatedTokens: 1 }],
    ['none of nothing', {}, 0, { heldTokens: 0, estimatedTokens: 0 }],
    ['by the image, not by its bytes', { images: 2, imageBytes: 900_000 }, 901_000, { heldTokens: 10_500, estimatedTokens: 2_250 }],
    ['those of other media like text', { otherMediaBytes: 800 }, 1_000, { heldTokens: 500, estimatedTokens: 250 }],
    ['held for references, not charged', { references: 3 }, 1_000, { heldTokens: 60_500, estimatedTokens: 250 }],
    ['never negative', { images: 1, imageBytes: 500 }, 100, { heldTokens: 5_000, estimatedTokens: 1_000 }],
  ])('are %s', (_title, change, bodyBytes, expected) => {
    expect(inputEstimate({ ...plain, ...change }, bodyBytes, 20_000)).toEqual(expected);
  });
});

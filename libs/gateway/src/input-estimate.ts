import type { BodyFacts } from '@tokone/protocol';

export interface InputEstimate {
  /** Upper estimate, for the hold. */
  heldTokens: number;
  /** What is charged when the provider reports nothing. */
  estimatedTokens: number;
}

/** No tokenizer in use makes more than one token of two bytes of ordinary text; four bytes are the usual length. */
const HELD_BYTES_PER_TOKEN = 2;
export const BYTES_PER_TOKEN = 4;
/** Providers scale an image down before they count it; the dearest documented count is below 5,000, a usual one near 1,000. */
const HELD_IMAGE_TOKENS = 5_000;
const ESTIMATED_IMAGE_TOKENS = 1_000;

/** Tokens of a request body, by its bytes and media. Audio, video and documents are counted like text, which is more than they cost. */
export function inputEstimate(facts: BodyFacts, bodyBytes: number, referenceTokens: number): InputEstimate {
  const textBytes = Math.max(bodyBytes - facts.imageBytes, 0);
  const references = facts.references * referenceTokens;
  return {
    heldTokens: Math.ceil(textBytes / HELD_BYTES_PER_TOKEN) + facts.images * HELD_IMAGE_TOKENS + references,
    estimatedTokens: Math.ceil(textBytes / BYTES_PER_TOKEN) + facts.images * ESTIMATED_IMAGE_TOKENS,
  };
}

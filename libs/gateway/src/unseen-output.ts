import type { PriceSnapshot } from '@tokone/pricing';
import type { BodyFacts } from '@tokone/protocol';

/**
 * Families that think unless they are told not to, or whatever they are told: all but those that are named here, newer
 * ones too (OpenAI "Reasoning models", Gemini "Thinking", Anthropic "Adaptive thinking", 2026).
 */
const THINKING_FAMILY: Readonly<Partial<Record<PriceSnapshot['platform'], RegExp>>> = {
  openai: /^(?:ft:)?(?:gpt-(?!3\.5|4)|o\d|codex|chat-latest|computer-use)/,
  gemini: /^gemini-(?!1\.|2\.0)/,
  anthropic: /^claude-(?!instant|2|3|(?:opus|sonnet|haiku)-4)/,
};
/** No request turns it off. */
const ALWAYS_THINKING = /^claude-(?:fable|mythos)/;
const UNCOUNTED_CLASSES = ['reasoning', 'outputAudio', 'outputImage'] as const;

/**
 * Whether a stream may use output that is not seen in it as text: thinking that the provider keeps to itself or tells in
 * short, audio, images. It is known only from the report at the end, when no extension can pay for it any more.
 */
export function mayUseUnseenOutput(facts: BodyFacts, price: PriceSnapshot): boolean {
  if (hasPriceOfItsOwn(price)) return true;
  // Anthropic's thinking is told in short, or not at all, and billed in full. It and Gemini's can be turned off, but for some.
  if (ALWAYS_THINKING.test(price.model)) return true;
  if (price.platform === 'anthropic' && facts.thinking !== undefined) return facts.thinking === 'on';
  if (price.platform === 'anthropic' && facts.thinkingBudget !== undefined) return true;
  if (price.platform === 'gemini' && facts.thinkingBudget === 0) return false;
  return THINKING_FAMILY[price.platform]?.test(price.model) === true;
}

function hasPriceOfItsOwn({ tiers }: PriceSnapshot): boolean {
  return Object.values(tiers).some((bands) => bands.some(({ nanoUsdPerMillion }) => UNCOUNTED_CLASSES.some((tokenClass) => nanoUsdPerMillion[tokenClass] !== undefined)));
}

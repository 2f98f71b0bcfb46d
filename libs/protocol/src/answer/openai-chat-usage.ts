import { noTokens } from '../token-usage.js';
import type { ReportedUsage } from './answer-scanner.js';
import { asObject, rawUsage, TokenCount } from './token-count.js';

/**
 * Reads `usage` of a chat completion (OpenAI API reference, "CompletionUsage").
 *
 * `prompt_tokens` includes cached, cache-written and audio tokens, `completion_tokens` includes reasoning, audio and
 * prediction tokens. Parts that overlap or exceed their whole are cut back, cheapest class first kept, so that the
 * classes always add up to the provider's totals. Cache writes have no stated lifetime here and count as the short one.
 * Some compatible upstreams leave reasoning out of `completion_tokens`; their `total_tokens` shows it.
 */
export function readOpenaiChatUsage(value: unknown, final: boolean): ReportedUsage | undefined {
  const usage = asObject(value);
  if (usage === undefined || (typeof usage.prompt_tokens !== 'number' && typeof usage.completion_tokens !== 'number')) {
    return undefined;
  }
  const count = new TokenCount();
  const prompt = count.read(usage.prompt_tokens);
  const promptParts = asObject(usage.prompt_tokens_details);
  const tokens = noTokens();
  tokens.cacheRead = count.part(count.read(promptParts?.cached_tokens), prompt);
  tokens.cacheWrite5m = count.part(count.read(promptParts?.cache_write_tokens), prompt - tokens.cacheRead);
  tokens.inputAudio = count.part(
    count.read(promptParts?.audio_tokens),
    prompt - tokens.cacheRead - tokens.cacheWrite5m,
  );
  tokens.input = prompt - tokens.cacheRead - tokens.cacheWrite5m - tokens.inputAudio;

  const stated = count.read(usage.completion_tokens);
  const completionParts = asObject(usage.completion_tokens_details);
  const reasoning = count.read(completionParts?.reasoning_tokens);
  const reasoningApart = reasoning > 0 && usage.total_tokens === prompt + stated + reasoning;
  const completion = reasoningApart ? stated + reasoning : stated;
  tokens.reasoning = count.part(reasoning, completion);
  tokens.outputAudio = count.part(count.read(completionParts?.audio_tokens), completion - tokens.reasoning);
  tokens.output = completion - tokens.reasoning - tokens.outputAudio;

  count.expectTotal(usage.total_tokens, prompt + completion);
  return { tokens, raw: rawUsage(usage), final, serviceTier: undefined, units: {}, odd: count.odd };
}

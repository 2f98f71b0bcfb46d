import { noTokens } from '../token-usage.js';
import type { ReportedUsage } from './answer-scanner.js';
import { asObject, asText, type JsonObject, rawUsage, TokenCount } from './token-count.js';

/**
 * Reads `usage` of a message, or the union of `message_start`'s and `message_delta`'s (Anthropic API reference,
 * "Messages", "Streaming messages").
 *
 * `input_tokens` excludes cache reads and writes. Writes are split by lifetime in `cache_creation`; without the split
 * all count as five minutes. `output_tokens` is the inclusive total, thinking a part of it.
 */
export function readAnthropicMessagesUsage(value: unknown, final: boolean): ReportedUsage | undefined {
  const usage = asObject(value);
  if (usage === undefined || (typeof usage.input_tokens !== 'number' && typeof usage.output_tokens !== 'number')) {
    return undefined;
  }
  const count = new TokenCount();
  const tokens = noTokens();
  tokens.input = count.read(usage.input_tokens);
  tokens.cacheRead = count.read(usage.cache_read_input_tokens);

  const split = asObject(usage.cache_creation);
  const fiveMinutes = count.read(split?.ephemeral_5m_input_tokens);
  const oneHour = count.read(split?.ephemeral_1h_input_tokens);
  const stated = usage.cache_creation_input_tokens;
  const written = typeof stated === 'number' ? count.read(stated) : fiveMinutes + oneHour;
  tokens.cacheWrite1h = count.part(oneHour, written);
  tokens.cacheWrite5m = written - tokens.cacheWrite1h;
  if (split !== undefined) {
    count.expectTotal(stated, fiveMinutes + oneHour);
  }

  const output = count.read(usage.output_tokens);
  tokens.reasoning = count.part(count.read(asObject(usage.output_tokens_details)?.thinking_tokens), output);
  tokens.output = output - tokens.reasoning;

  const searches = count.read(asObject(usage.server_tool_use)?.web_search_requests);
  return {
    tokens,
    raw: rawUsage(usage),
    final,
    serviceTier: asText(usage.service_tier),
    units: searches > 0 ? { web_search: searches } : {},
    odd: count.odd,
  };
}

/** `message_delta` counts are cumulative and replace what `message_start` said; what they leave out or null stays. */
export function mergeAnthropicMessagesUsage(earlier: JsonObject | undefined, later: JsonObject): JsonObject {
  const merged: Record<string, unknown> = { ...earlier };
  for (const [name, value] of Object.entries(later)) {
    if (value !== null || !(name in merged)) {
      merged[name] = value;
    }
  }
  return merged;
}

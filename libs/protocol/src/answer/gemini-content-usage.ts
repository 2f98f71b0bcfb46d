import { noTokens } from '../token-usage.js';
import type { ReportedUsage } from './answer-scanner.js';
import { asObject, asText, rawUsage, TokenCount } from './token-count.js';

/** Vertex AI names the tier by kind of traffic. */
const TIER_OF_TRAFFIC: Readonly<Record<string, string>> = {
  ON_DEMAND: 'standard',
  ON_DEMAND_FLEX: 'flex',
  ON_DEMAND_PRIORITY: 'priority',
};

/**
 * Reads `usageMetadata` of a generated content (Gemini API reference, "UsageMetadata").
 *
 * `promptTokenCount` includes the cached tokens, tool results come on top of it; `thoughtsTokenCount` stands outside
 * `candidatesTokenCount`. Audio that came from the cache is priced as cache.
 */
export function readGeminiContentUsage(value: unknown, final: boolean): ReportedUsage | undefined {
  const usage = asObject(value);
  if (usage === undefined || (typeof usage.promptTokenCount !== 'number' && typeof usage.totalTokenCount !== 'number')) {
    return undefined;
  }
  const count = new TokenCount();
  const prompt = count.read(usage.promptTokenCount);
  const toolUse = count.read(usage.toolUsePromptTokenCount);
  const tokens = noTokens();
  tokens.cacheRead = count.part(count.read(usage.cachedContentTokenCount), prompt);
  const audio = ofModality(usage.promptTokensDetails, 'AUDIO', count);
  const cachedAudio = ofModality(usage.cacheTokensDetails, 'AUDIO', count);
  tokens.inputAudio = count.part(audio - count.part(cachedAudio, audio), prompt - tokens.cacheRead);
  tokens.input = prompt + toolUse - tokens.cacheRead - tokens.inputAudio;

  const candidates = count.read(usage.candidatesTokenCount);
  tokens.reasoning = count.read(usage.thoughtsTokenCount);
  tokens.outputAudio = count.part(ofModality(usage.candidatesTokensDetails, 'AUDIO', count), candidates);
  const image = ofModality(usage.candidatesTokensDetails, 'IMAGE', count);
  tokens.outputImage = count.part(image, candidates - tokens.outputAudio);
  tokens.output = candidates - tokens.outputAudio - tokens.outputImage;

  count.expectTotal(usage.totalTokenCount, prompt + toolUse + candidates + tokens.reasoning);
  const traffic = asText(usage.trafficType);
  return {
    tokens,
    raw: rawUsage(usage),
    final,
    serviceTier: asText(usage.serviceTier)?.toLowerCase() ?? (traffic && TIER_OF_TRAFFIC[traffic]),
    units: {},
    odd: count.odd,
  };
}

function ofModality(details: unknown, modality: string, count: TokenCount): number {
  let tokens = 0;
  for (const entry of Array.isArray(details) ? details : []) {
    const detail = asObject(entry);
    if (detail?.modality === modality) {
      tokens += count.read(detail.tokenCount);
    }
  }
  return tokens;
}

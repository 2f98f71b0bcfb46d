import type { PriceSnapshot, ServiceTier } from '@tokone/pricing';
import { noTokens } from '@tokone/protocol';
import type { AnswerScanner, TokenUsage } from '@tokone/protocol';
import type { UsageOutcome } from '@tokone/events';
import { BYTES_PER_TOKEN } from './input-estimate.js';
import { answeredTier } from './service-tier.js';

export interface MeasuredUsage {
  tokens: TokenUsage;
  units: Record<string, number>;
  tier: ServiceTier;
  /** The provider did not report the whole: the tokens are our own count. */
  estimated: boolean;
  odd: boolean;
  raw: string | null;
}

export interface MeasureInput {
  scanner: AnswerScanner | undefined;
  outcome: UsageOutcome;
  /** Bytes of the answer were sent, or written down to be sent, to the client. */
  delivered: boolean;
  estimatedInputTokens: number;
  askedTier: ServiceTier;
  price: PriceSnapshot;
}

/**
 * What a request used. The provider's final report decides. Without one: nothing, when it failed before anything was
 * delivered, or with the provider's own error before any output; else its own partial report or our estimate of the input, and the output read until then.
 */
export function measureUsage(input: MeasureInput): MeasuredUsage {
  const reported = input.scanner?.usage;
  const { tier, odd } = answeredTier(reported?.serviceTier, input.askedTier, input.price);
  if (reported?.final) {
    return { tokens: reported.tokens, units: reported.units, tier, estimated: false, odd: odd || reported.odd, raw: reported.raw };
  }
  const errorOnly = input.scanner?.errored === true && outputTokens(input.scanner) === 0;
  const charged = !errorOnly && (input.delivered || input.outcome === 'client_left' || input.outcome === 'completed');
  if (!charged) return { tokens: noTokens(), units: {}, tier, estimated: false, odd: false, raw: null };
  const tokens = tokensReadSoFar(input.scanner, input.estimatedInputTokens);
  return { tokens, units: reported?.units ?? {}, tier, estimated: true, odd: odd || reported?.odd === true, raw: reported?.raw ?? null };
}

/**
 * What has been used up to now: the provider's partial report, or our estimate of the input, and of the output
 * whichever is more, its report or our count. The count covers all text, reasoning too, so what the provider has
 * already put into other output classes is not counted again.
 */
export function tokensReadSoFar(scanner: AnswerScanner | undefined, estimatedInputTokens: number): TokenUsage {
  const tokens = scanner?.usage ? { ...scanner.usage.tokens } : { ...noTokens(), input: estimatedInputTokens };
  const elsewhere = tokens.reasoning + tokens.outputAudio + tokens.outputImage;
  tokens.output = Math.max(tokens.output, outputTokens(scanner) - elsewhere);
  return tokens;
}

/** Our count of the output that has been read. */
export function outputTokens(scanner: AnswerScanner | undefined): number {
  return scanner ? Math.ceil(scanner.outputTextBytes / BYTES_PER_TOKEN) : 0;
}

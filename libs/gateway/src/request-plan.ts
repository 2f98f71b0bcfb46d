import type { GroupRecord, KeyRecord } from '@tokone/account-client';
import type { HoldRule } from '@tokone/admission';
import type { PriceBook } from '@tokone/billing-client';
import { UnpricedError, estimateHold } from '@tokone/pricing';
import type { HoldEstimate, PriceSnapshot, ServiceTier } from '@tokone/pricing';
import { DIALECT_OF_PLATFORM, GatewayError, PLATFORM_OF_DIALECT } from '@tokone/protocol';
import type { AnswerFraming, BodyFacts, InferenceEndpoint, Platform, TokenClass } from '@tokone/protocol';
import { inputEstimate } from './input-estimate.js';
import type { InputEstimate } from './input-estimate.js';
import { refuseBeyondLimits } from './limit-refusal.js';
import { askedTier, refuseUnpricedOptions } from './service-tier.js';
import { mayUseUnseenOutput } from './unseen-output.js';

export interface PlanInput {
  endpoint: InferenceEndpoint;
  facts: BodyFacts;
  bodyBytes: number;
  key: KeyRecord;
  prices: PriceBook;
  groups: readonly GroupRecord[];
  /** Tokens held for a reference whose size the body does not tell. */
  referenceTokens: number;
}

/** What is decided about a request before any money moves. */
export interface RequestPlan {
  model: string;
  price: PriceSnapshot;
  streamed: boolean;
  framing: AnswerFraming;
  tier: ServiceTier;
  input: InputEstimate;
  estimate: HoldEstimate;
  rule: HoldRule;
  /** That it may use, for limits of tokens: what is held for its input, and the output that it states, else a first step of it. */
  tokens: number;
  /** How many answers are asked for, and the thinking that each may take beside its output limit, tokens. */
  answers: number;
  thinkingTokens: number;
  /** A smaller limit would be refused by the provider. */
  leastLimit: number;
}

/** Output tokens of a stream's first hold and of each further step. */
export const STEP_TOKENS = 4_096;
/** A hosted tool says nowhere how often it will run; this many calls are held for. */
const HELD_TOOL_CALLS = 10;
const ENDPOINT_OF_PLATFORM: Readonly<Record<Platform, string>> = {
  openai: 'POST /v1/chat/completions',
  anthropic: 'POST /v1/messages',
  gemini: 'POST /v1beta/models/{model}:generateContent',
};

/** Checks a request against key, group and price book, and computes its hold. Pure. Throws a `GatewayError`. */
export function planRequest(plan: PlanInput): RequestPlan {
  const { endpoint, facts, key } = plan;
  const platform = PLATFORM_OF_DIALECT[endpoint.dialect];
  if (platform !== key.platform) throw endpointOfOtherDialect(platform, plan);
  const model = endpoint.model ?? facts.model ?? '';
  const price = priceOf(model, plan);
  const streamed = endpoint.streamsByPath || facts.stream === true;
  const framing = streamed && endpoint.framing === 'json' ? 'sse' : endpoint.framing;
  const tier = askedTier(facts.serviceTier, price);
  refuseUnpricedOptions(facts);
  const input = inputEstimate(facts, plan.bodyBytes, plan.referenceTokens);
  const worstOutputTokens = Math.min(worstOutput(facts, price), MAX_TOKENS);
  const estimate = estimateOrRefuse(price, {
    inputTokens: input.heldTokens,
    worstOutputTokens,
    firstStepTokens: STEP_TOKENS,
    tier,
    multiplierPpm: key.multiplierPpm,
    inputClasses: inputClasses(facts),
    units: toolUnits(facts, price),
  });
  const mode = holdMode(facts, price, streamed);
  const rule: HoldRule = { inputNanoUsd: estimate.inputNanoUsd, worstNanoUsd: estimate.worstNanoUsd, firstStepNanoUsd: estimate.firstStepNanoUsd, mode };
  const tokens = input.heldTokens + (facts.outputLimit === undefined ? Math.min(worstOutputTokens, STEP_TOKENS) : worstOutputTokens);
  refuseBeyondLimits(key.limits, tokens);
  return { model, price, streamed, framing, tier, input, estimate, rule, tokens, answers: facts.answers, thinkingTokens: thinkingBeside(facts, price), leastLimit: leastLimit(facts, price) };
}

/** A stream whose output cannot be counted while it runs is not extended: it is given a limit that its hold covers, like an answer without one. */
function holdMode(facts: BodyFacts, price: PriceSnapshot, streamed: boolean): HoldRule['mode'] {
  if (streamed) return mayUseUnseenOutput(facts, price) ? 'no_limit' : 'stream';
  return facts.outputLimit === undefined ? 'no_limit' : 'limit_stated';
}

/** More tokens than any answer has; keeps products of limits and answers in range. */
const MAX_TOKENS = 2 ** 40;

function worstOutput(facts: BodyFacts, price: PriceSnapshot): number {
  const limit = facts.outputLimit ?? price.maxOutputTokens;
  return (limit + thinkingBeside(facts, price)) * facts.answers;
}

/** Gemini counts its thoughts beside the candidates; Anthropic's budget is inside max_tokens. */
function thinkingBeside(facts: BodyFacts, price: PriceSnapshot): number {
  return price.platform === 'gemini' ? Math.max(facts.thinkingBudget ?? 0, 0) : 0;
}

/** Anthropic's budget for thinking must be below the limit that it is inside of. */
function leastLimit(facts: BodyFacts, price: PriceSnapshot): number {
  return price.platform === 'anthropic' ? (facts.thinkingBudget ?? 0) + 1 : 1;
}

function inputClasses(facts: BodyFacts): TokenClass[] {
  const classes: TokenClass[] = [];
  if (facts.asksCacheWrite) classes.push('cacheWrite5m');
  if (facts.asksOneHourCache) classes.push('cacheWrite1h');
  if (facts.otherMediaBytes > 0) classes.push('inputAudio');
  return classes;
}

/** Hosted tools whose calls the provider reports in its usage, so that they can be charged. */
function unitOfTool(tool: string, platform: Platform): string | undefined {
  return platform === 'anthropic' && tool.startsWith('web_search_') ? 'web_search' : undefined;
}

function toolUnits(facts: BodyFacts, price: PriceSnapshot): Record<string, number> {
  const units: Record<string, number> = {};
  for (const tool of facts.hostedTools) {
    const unit = unitOfTool(tool, price.platform);
    if (unit === undefined || price.unitNanoUsd[unit] === undefined) {
      throw new GatewayError('unpriced_tool', `The hosted tool "${tool}" has no price for model "${price.model}" here, so it cannot be sold. Leave it out, or ask the operator to price it.`, { field: 'tools' });
    }
    units[unit] = HELD_TOOL_CALLS;
  }
  return units;
}

function estimateOrRefuse(price: PriceSnapshot, input: Parameters<typeof estimateHold>[1]): HoldEstimate {
  try {
    return estimateHold(price, input);
  } catch (error) {
    if (!(error instanceof UnpricedError)) throw error;
    throw new GatewayError('unknown_model', `Model "${price.model}" has no complete price here (${error.item}), so it cannot be sold.`, { cause: error });
  }
}

function priceOf(model: string, { prices, key, groups }: PlanInput): PriceSnapshot {
  const price = prices.find(model);
  const sellers = price ? groups.filter((group) => group.platform === price.platform && (group.models?.has(model) ?? true)) : [];
  if (price && price.platform === key.platform && (key.models?.has(model) ?? true)) return price;
  if (sellers.length > 0) {
    const names = sellers.map((group) => `"${group.name}"`).join(' or ');
    throw new GatewayError('model_of_other_group', `Model "${model}" belongs to group ${names}, and this key to group "${key.groupName}". Use a key of group ${names} for it.`, { field: 'model' });
  }
  throw new GatewayError('unknown_model', `Model "${clip(model)}" is not sold here. GET /v1/models lists the models of your key.`, { field: 'model' });
}

function endpointOfOtherDialect(wanted: Platform, { key, groups }: PlanInput): GatewayError {
  const others = groups.filter((group) => group.platform === wanted).map((group) => `"${group.name}"`);
  const otherKey = others.length > 0 ? `, or a key of group ${others.join(' or ')} here` : '';
  return new GatewayError(
    'endpoint_of_other_dialect',
    `This key belongs to group "${key.groupName}", which does not speak ${DIALECT_OF_PLATFORM[wanted]}. Use ${ENDPOINT_OF_PLATFORM[key.platform]} with it${otherKey}.`,
  );
}

function clip(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

/**
 * Tokens of one request, in disjoint classes: every token is counted in exactly one.
 *
 * Providers nest them differently (OpenAI's `prompt_tokens` includes the cached ones, Anthropic's `input_tokens`
 * excludes cache reads and writes, Gemini's thoughts stand outside the candidates), so the normalisers of
 * `answer/` bring each to this shape. All counts are integers ≥ 0.
 */
export interface TokenUsage {
  input: number;
  cacheRead: number;
  cacheWrite5m: number;
  cacheWrite1h: number;
  inputAudio: number;
  output: number;
  reasoning: number;
  outputAudio: number;
  outputImage: number;
}

export const TOKEN_CLASSES = [
  'input',
  'cacheRead',
  'cacheWrite5m',
  'cacheWrite1h',
  'inputAudio',
  'output',
  'reasoning',
  'outputAudio',
  'outputImage',
] as const satisfies readonly (keyof TokenUsage)[];

export type TokenClass = (typeof TOKEN_CLASSES)[number];

export function noTokens(): TokenUsage {
  return {
    input: 0,
    cacheRead: 0,
    cacheWrite5m: 0,
    cacheWrite1h: 0,
    inputAudio: 0,
    output: 0,
    reasoning: 0,
    outputAudio: 0,
    outputImage: 0,
  };
}

/** All tokens that entered the model, cached or not: what long-context price bands look at. */
export function totalInputTokens(usage: TokenUsage): number {
  return usage.input + usage.cacheRead + usage.cacheWrite5m + usage.cacheWrite1h + usage.inputAudio;
}

export function totalOutputTokens(usage: TokenUsage): number {
  return usage.output + usage.reasoning + usage.outputAudio + usage.outputImage;
}

/** Units beside tokens that a provider bills: hosted tools by the call. Names are those of the price book. */
export type UnitUsage = Readonly<Record<string, number>>;

import type { Dialect } from '../dialect.js';

/** Half-open byte range in the request body. */
export interface ByteSpan {
  start: number;
  end: number;
}

/**
 * What one pass over a request body found, without building objects. The body itself stays the client's bytes;
 * spans say where an edit would go.
 */
export interface BodyFacts {
  /** Value of the top-level `model` (unescaped). Undefined when absent (Gemini names it in the path). */
  model: string | undefined;
  /** The value of `model` with its quotes. */
  modelSpan: ByteSpan | undefined;
  /** Top-level `stream`; `null` on the wire counts as absent. */
  stream: boolean | undefined;
  /** The whole member `"stream": true` with one adjoining comma, so that cutting it leaves valid JSON. */
  streamMemberSpan: ByteSpan | undefined;
  /** OpenAI `stream_options.include_usage`. */
  includeUsage: boolean | undefined;
  /** The value of `stream_options` (an object or `null`), for an edit. */
  streamOptionsSpan: ByteSpan | undefined;
  /** The value of `stream_options.include_usage`, for an edit. */
  includeUsageSpan: ByteSpan | undefined;
  /** Largest stated output limit, tokens (`max_tokens`, `max_completion_tokens`, `max_output_tokens`, `generationConfig.maxOutputTokens`). */
  outputLimit: number | undefined;
  /** `n` or `generationConfig.candidateCount`; 1 when absent. */
  answers: number;
  /** The values of the output limits by name, `null` included, so that an edit replaces instead of giving a name twice. */
  maxTokensSpan: ByteSpan | undefined;
  maxCompletionTokensSpan: ByteSpan | undefined;
  /** `generationConfig.maxOutputTokens`, in either spelling. */
  maxOutputTokensSpan: ByteSpan | undefined;
  /** Stated thinking budget, tokens (`thinking.budget_tokens`, `generationConfig.thinkingConfig.thinkingBudget`); -1 = dynamic. */
  thinkingBudget: number | undefined;
  /** Anthropic `thinking`: asked for by any type but `disabled`. Undefined: the model decides. */
  thinking: 'on' | 'off' | undefined;
  /** `service_tier` (OpenAI, Anthropic), as written. */
  serviceTier: string | undefined;
  /** Anthropic `speed` (`fast` is priced apart), as written. */
  speed: string | undefined;
  /** Anthropic `inference_geo` (`us` is priced apart), as written. */
  inferenceGeo: string | undefined;
  /** Hosted tools asked for, by the provider's own type name (`web_search_20250305`, `googleSearch`, `code_execution`, `web_search_options` …). */
  hostedTools: string[];
  /** Anthropic `cache_control` with `ttl: "1h"` seen anywhere in the places where it has a meaning. */
  asksOneHourCache: boolean;
  /** Any `cache_control` seen in such a place. */
  asksCacheWrite: boolean;
  /** References to things stored elsewhere, whose size the body does not tell (file ids, image or file URLs, `cachedContent`, `previous_response_id`, `container`). */
  references: number;
  /** Inline media: how many, and how many bytes of the body they take (base64 text). */
  images: number;
  imageBytes: number;
  /** Inline audio, video and documents: bytes of base64 text. */
  otherMediaBytes: number;
  /** Offset just behind the `{` of the top-level object: where a member may be inserted. */
  insertAt: number;
  /** The value of `generationConfig` (an object or `null`), for an edit. */
  generationConfigSpan: ByteSpan | undefined;
  /** Offset just behind the `{` of `generationConfig`, when there is one (Gemini). */
  generationConfigInsertAt: number | undefined;
  /** True when the top-level object has no member (an insertion then needs no comma). */
  empty: boolean;
  generationConfigEmpty: boolean;
}

/** Why a body is refused. `field` is a JSON path as a person would write it: `stream_options.include_usage`. */
export interface BodyFault {
  code: 'invalid_json' | 'invalid_field' | 'duplicate_field' | 'too_deep' | 'not_an_object';
  field: string | undefined;
  /** A sentence for the caller. Never contains content of the body beyond field names. */
  message: string;
  /** Byte offset of the trouble, where it is known. */
  offset: number | undefined;
}

export type BodyPassResult = { facts: BodyFacts; fault?: undefined } | { facts?: undefined; fault: BodyFault };

/** Signature of the body pass; implemented in `body-pass.ts`. */
export type BodyPass = (dialect: Dialect, body: Buffer) => BodyPassResult;

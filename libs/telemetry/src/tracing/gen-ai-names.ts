/**
 * Every name that our spans carry, in one place, since those of OpenTelemetry still move: GenAI semantic conventions of
 * `open-telemetry/semantic-conventions-genai` as of semantic conventions 1.37 (status: development), HTTP and messaging
 * conventions of 1.37. What is TokOne's own begins with `tokone.`. There is no name for text of prompts or answers,
 * for keys, credentials or whole URLs: what has no name here cannot be written.
 */
export const SPAN_ATTRIBUTES = {
  httpMethod: 'http.request.method',
  httpRoute: 'http.route',
  httpStatus: 'http.response.status_code',
  errorType: 'error.type',
  serverAddress: 'server.address',
  serverPort: 'server.port',
  operation: 'gen_ai.operation.name',
  provider: 'gen_ai.provider.name',
  requestModel: 'gen_ai.request.model',
  requestStream: 'gen_ai.request.stream',
  responseId: 'gen_ai.response.id',
  inputTokens: 'gen_ai.usage.input_tokens',
  outputTokens: 'gen_ai.usage.output_tokens',
  cacheReadTokens: 'gen_ai.usage.cache_read.input_tokens',
  cacheWriteTokens: 'gen_ai.usage.cache_creation.input_tokens',
  reasoningTokens: 'gen_ai.usage.reasoning.output_tokens',
  firstChunkSeconds: 'gen_ai.response.time_to_first_chunk',
  messagingSystem: 'messaging.system',
  messagingOperation: 'messaging.operation.type',
  messagingDestination: 'messaging.destination.name',
  batchMessages: 'messaging.batch.message_count',
  requestId: 'tokone.request.id',
  accountId: 'tokone.account.id',
  keyId: 'tokone.key.id',
  groupId: 'tokone.group.id',
  upstreamId: 'tokone.upstream.id',
  upstreamAttempt: 'tokone.upstream.attempt',
  admission: 'tokone.admission.result',
  heldNanoUsd: 'tokone.held_nano_usd',
  grantedNanoUsd: 'tokone.granted_nano_usd',
  outcome: 'tokone.outcome',
  estimated: 'tokone.usage.estimated',
} as const;
export type SpanAttribute = keyof typeof SPAN_ATTRIBUTES;
export type SpanAttributes = { readonly [Name in SpanAttribute]?: string | number | boolean | undefined };

/** Well-known values of `gen_ai.provider.name`, by platform. */
export const GEN_AI_PROVIDER = { openai: 'openai', anthropic: 'anthropic', gemini: 'gcp.gemini' } as const;

/** Well-known values of `gen_ai.operation.name`, by the dialect of the request. */
export const GEN_AI_OPERATION = { 'openai-chat': 'chat', 'anthropic-messages': 'chat', 'gemini-content': 'generate_content' } as const;

/** The attributes as they go out; what is undefined is left out. */
export function wireAttributes(attributes: SpanAttributes): Record<string, string | number | boolean> {
  const written: Record<string, string | number | boolean> = {};
  for (const name of Object.keys(attributes) as SpanAttribute[]) {
    const value = attributes[name];
    if (value !== undefined) written[SPAN_ATTRIBUTES[name]] = value;
  }
  return written;
}

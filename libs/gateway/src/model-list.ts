import type { PriceSnapshot } from '@tokone/pricing';
import type { Dialect } from '@tokone/protocol';

/** Providers give each model a date; ours has none of its own, and SDKs want one. */
const CREATED_SECONDS = 1_767_225_600;
const CREATED_ISO = '2026-01-01T00:00:00Z';

/** Shapes: OpenAI "List models", Anthropic "List Models", Gemini "models.list". */
export function writeModelList(dialect: Dialect, models: readonly PriceSnapshot[]): unknown {
  const data = models.map((model) => writeModel(dialect, model));
  switch (dialect) {
    case 'openai-chat':
      return { object: 'list', data };
    case 'anthropic-messages':
      return { data, has_more: false, first_id: models[0]?.model ?? null, last_id: models.at(-1)?.model ?? null };
    case 'gemini-content':
      return { models: data };
  }
}

export function writeModel(dialect: Dialect, { model, platform, maxInputTokens, maxOutputTokens }: PriceSnapshot): unknown {
  switch (dialect) {
    case 'openai-chat':
      return { id: model, object: 'model', created: CREATED_SECONDS, owned_by: platform };
    case 'anthropic-messages':
      return { type: 'model', id: model, display_name: model, created_at: CREATED_ISO, max_input_tokens: maxInputTokens, max_tokens: maxOutputTokens };
    case 'gemini-content':
      return {
        name: `models/${model}`,
        baseModelId: model,
        version: model,
        displayName: model,
        inputTokenLimit: maxInputTokens,
        outputTokenLimit: maxOutputTokens,
        supportedGenerationMethods: ['generateContent', 'streamGenerateContent'],
      };
  }
}

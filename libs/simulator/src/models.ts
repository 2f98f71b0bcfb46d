import type { DialectName, JsonObject } from './dialect.js';
import { Refusal } from './refusal.js';

const releasedAtSeconds = 1_764_547_200;

const modelIds: Readonly<Record<DialectName, readonly string[]>> = {
  'openai-chat': ['gpt-5.5', 'gpt-5.4', 'gpt-5.4-mini', 'gpt-5-mini', 'gpt-4o', 'gpt-4o-mini'],
  'anthropic-messages': ['claude-opus-4-6', 'claude-opus-4-5', 'claude-sonnet-4-6', 'claude-sonnet-4-5', 'claude-haiku-4-5'],
  'gemini-content': ['gemini-3.5-flash', 'gemini-3.5-flash-lite', 'gemini-2.5-pro', 'gemini-2.5-flash'],
};

const modelWriters: Readonly<Record<DialectName, (id: string) => JsonObject>> = {
  'openai-chat': (id) => ({ id, object: 'model', created: releasedAtSeconds, owned_by: 'system' }),
  'anthropic-messages': (id) => ({
    type: 'model',
    id,
    display_name: id.replace('claude-', 'Claude ').replaceAll('-', ' '),
    created_at: new Date(releasedAtSeconds * 1000).toISOString(),
    max_input_tokens: 200_000,
    max_tokens: 64_000,
  }),
  'gemini-content': (id) => ({
    name: `models/${id}`,
    version: '001',
    displayName: id.replaceAll('-', ' '),
    description: 'A model of the simulator.',
    inputTokenLimit: 1_048_576,
    outputTokenLimit: 65_536,
    supportedGenerationMethods: ['generateContent', 'countTokens'],
    temperature: 1,
    topP: 0.95,
    topK: 64,
    maxTemperature: 2,
  }),
};

/** GET …/models in the provider's own list shape. */
export function writeModelList(dialect: DialectName): JsonObject {
  const models = modelIds[dialect].map(modelWriters[dialect]);
  if (dialect === 'openai-chat') return { object: 'list', data: models };
  if (dialect === 'gemini-content') return { models };
  return { data: models, has_more: false, first_id: modelIds[dialect][0] ?? null, last_id: modelIds[dialect].at(-1) ?? null };
}

/** GET …/models/{id}. Throws the provider's 404 for an id that is not in the list. */
export function writeModel(dialect: DialectName, id: string): JsonObject {
  if (modelIds[dialect].includes(id)) return modelWriters[dialect](id);
  if (dialect === 'openai-chat') throw new Refusal(404, `The model '${id}' does not exist`, { field: 'model' });
  if (dialect === 'anthropic-messages') throw new Refusal(404, `model: ${id}`);
  throw new Refusal(404, `models/${id} is not found for API version v1beta, or is not supported for generateContent.`);
}

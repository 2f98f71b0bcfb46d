import { findEndpoint } from '@tokone/protocol';
import type { InferenceEndpoint } from '@tokone/protocol';
import type { RequestRoute } from '@tokone/telemetry';

const MODEL_LISTS = new Set(['/v1/models', '/models', '/v1beta/models']);
const ONE_MODEL = /^\/(?:v1\/|v1beta\/)?models\/[^/:]+$/;

/** The route that metrics name for a path, whatever its method: aliases count with what they stand for. */
export function routeOfPath(path: string): RequestRoute {
  const endpoint = findEndpoint(path, '');
  if (endpoint) return routeOf(endpoint);
  if (MODEL_LISTS.has(path)) return '/v1/models';
  if (ONE_MODEL.test(path)) return '/v1/models/{model}';
  return path === '/v1/usage' || path === '/health' ? path : 'other';
}

export function routeOf({ dialect, streamsByPath }: InferenceEndpoint): RequestRoute {
  switch (dialect) {
    case 'openai-chat':
      return '/v1/chat/completions';
    case 'anthropic-messages':
      return '/v1/messages';
    case 'gemini-content':
      return streamsByPath ? '/v1beta/models/{model}:streamGenerateContent' : '/v1beta/models/{model}:generateContent';
  }
}

import type { IncomingHttpHeaders } from 'node:http';
import type { Dialect } from '@tokone/protocol';

/** Which dialect a caller expects an answer in where the endpoint does not say: by path, else by its headers. */
export function dialectOfCaller(url: string, headers: IncomingHttpHeaders): Dialect {
  const path = url.split('?', 1)[0] ?? url;
  if (path.startsWith('/v1beta/') || path === '/v1beta' || /\/models\/[^/]*:\w+$/.test(path)) return 'gemini-content';
  if (path === '/v1/messages' || path === '/messages' || path.startsWith('/v1/messages/')) return 'anthropic-messages';
  if (path.endsWith('/chat/completions')) return 'openai-chat';
  if (headers['anthropic-version'] !== undefined) return 'anthropic-messages';
  return headers.authorization === undefined && headers['x-goog-api-key'] !== undefined ? 'gemini-content' : 'openai-chat';
}

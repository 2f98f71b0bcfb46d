import type { OutgoingHttpHeaders } from 'node:http';
import type { Dialect, Identity } from '../dialect.js';
import { textIf } from '../json.js';
import { Refusal } from '../refusal.js';
import { streamAnthropicAnswer, writeAnthropicAnswer } from './answer.js';
import { readAnthropicPrompt } from './prompt.js';
import { writeAnthropicRefusal } from './refusals.js';

/** Messages as the Claude API documents them. */
export const anthropicDialect: Dialect = {
  name: 'anthropic-messages',
  mediaTokens: 1600,
  cacheWriteLifetimes: ['5m', '1h'],
  overloadedStatus: 529,
  contentTypes: { json: 'application/json', sse: 'text/event-stream; charset=utf-8' },
  answerIdPrefix: 'msg_01',
  readCredential(headers) {
    const bearer = /^Bearer\s+(\S+)/i.exec(headers.authorization ?? '')?.[1];
    const credential = textIf(headers['x-api-key']) || bearer;
    if (!credential) throw new Refusal(401, 'x-api-key header is required');
    if (credential.includes('invalid')) throw new Refusal(401, bearer ? 'Invalid bearer token' : 'invalid x-api-key');
    return credential;
  },
  readPrompt: readAnthropicPrompt,
  writeHeaders: writeAnthropicHeaders,
  writeRefusal: writeAnthropicRefusal,
  writeErrorEvent: (refusal, requestId) => ({ name: 'error', data: JSON.stringify(writeAnthropicRefusal(refusal, requestId).body) }),
  writeAnswer: writeAnthropicAnswer,
  streamAnswer: streamAnthropicAnswer,
};

/** After "Response headers" of the Claude API's rate limits, with the cookies and traces of the provider's front. */
function writeAnthropicHeaders({ requestId, startedAtMs }: Identity): OutgoingHttpHeaders {
  const reset = new Date(startedAtMs + 60_000).toISOString();
  const limits = ['requests', 'tokens', 'input-tokens', 'output-tokens'].flatMap((kind) => [
    [`anthropic-ratelimit-${kind}-limit`, '4000000'],
    [`anthropic-ratelimit-${kind}-remaining`, '3999000'],
    [`anthropic-ratelimit-${kind}-reset`, reset],
  ]);
  return {
    'request-id': requestId,
    'anthropic-organization-id': '00000000-0000-4000-8000-000000000000',
    ...(Object.fromEntries(limits) as Record<string, string>),
    'cf-cache-status': 'DYNAMIC',
    'cf-ray': '8simulator0-ZRH',
    'set-cookie': ['_cfuvid=simulated; path=/; HttpOnly; Secure'],
    'via': '1.1 google',
    'x-robots-tag': 'none',
    'strict-transport-security': 'max-age=31536000; includeSubDomains; preload',
    'server': 'cloudflare',
  };
}

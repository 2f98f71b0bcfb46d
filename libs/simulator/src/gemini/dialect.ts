import type { OutgoingHttpHeaders } from 'node:http';
import type { Dialect, Identity } from '../dialect.js';
import { textIf } from '../json.js';
import { Refusal } from '../refusal.js';
import { streamGeminiAnswer, writeGeminiAnswer } from './answer.js';
import { readGeminiPrompt } from './prompt.js';
import { writeGeminiRefusal } from './refusals.js';

/** generateContent and streamGenerateContent as the Gemini API documents them. */
export const geminiDialect: Dialect = {
  name: 'gemini-content',
  mediaTokens: 258,
  cacheWriteLifetimes: [],
  overloadedStatus: 503,
  contentTypes: { json: 'application/json; charset=UTF-8', sse: 'text/event-stream' },
  answerIdPrefix: '',
  /** A bad key is 400 with the reason API_KEY_INVALID and a missing one 403: this provider keeps 401 for OAuth tokens. */
  readCredential(headers, query) {
    const bearer = /^Bearer\s+(\S+)/i.exec(headers.authorization ?? '')?.[1];
    const credential = textIf(headers['x-goog-api-key']) || query.get('key') || bearer;
    if (!credential) {
      throw new Refusal(403, "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.");
    }
    if (!credential.includes('invalid')) return credential;
    if (credential === bearer) throw new Refusal(401, '', { code: 'ACCESS_TOKEN_TYPE_UNSUPPORTED' });
    throw new Refusal(400, 'API key not valid. Please pass a valid API key.', { code: 'API_KEY_INVALID' });
  },
  readPrompt: readGeminiPrompt,
  writeHeaders: writeGeminiHeaders,
  writeRefusal: writeGeminiRefusal,
  writeErrorEvent: (refusal) => ({ data: JSON.stringify(writeGeminiRefusal(refusal).body) }),
  writeAnswer: writeGeminiAnswer,
  streamAnswer: streamGeminiAnswer,
};

function writeGeminiHeaders(_identity: Identity, serviceTier?: string): OutgoingHttpHeaders {
  return {
    'x-gemini-service-tier': serviceTier ?? 'standard',
    'server': 'scaffolding on HTTPServer2',
    'server-timing': 'gfet4t7; dur=42',
    'vary': 'Origin, X-Origin, Referer',
    'set-cookie': ['NID=simulated; path=/; domain=.google.com; HttpOnly'],
    'x-xss-protection': '0',
    'x-frame-options': 'SAMEORIGIN',
    'x-content-type-options': 'nosniff',
    'alt-svc': 'h3=":443"; ma=2592000',
  };
}

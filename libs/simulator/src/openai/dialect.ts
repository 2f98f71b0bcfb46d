import type { OutgoingHttpHeaders } from 'node:http';
import type { Dialect, Identity } from '../dialect.js';
import { textIf } from '../json.js';
import { Refusal } from '../refusal.js';
import { streamOpenAiAnswer, writeOpenAiAnswer } from './answer.js';
import { readOpenAiPrompt } from './prompt.js';
import { writeOpenAiRefusal } from './refusals.js';

/** Chat completions as the OpenAI API documents them. */
export const openAiDialect: Dialect = {
  name: 'openai-chat',
  mediaTokens: 765,
  cacheWriteLifetimes: ['5m'],
  overloadedStatus: 503,
  contentTypes: { json: 'application/json', sse: 'text/event-stream; charset=utf-8' },
  answerIdPrefix: 'chatcmpl-',
  readCredential(headers) {
    const credential = /^Bearer\s+(\S+)/i.exec(textIf(headers.authorization) ?? '')?.[1];
    if (!credential) {
      throw new Refusal(401, "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth.", { code: 'missing_api_key' });
    }
    if (credential.includes('invalid')) {
      throw new Refusal(401, `Incorrect API key provided: ***${credential.slice(-4)}. You can find your API key in your account settings.`);
    }
    return credential;
  },
  readPrompt: readOpenAiPrompt,
  writeHeaders: writeOpenAiHeaders,
  writeRefusal: writeOpenAiRefusal,
  writeErrorEvent: (refusal) => ({ data: JSON.stringify(writeOpenAiRefusal(refusal).body) }),
  writeAnswer: writeOpenAiAnswer,
  streamAnswer: streamOpenAiAnswer,
};

/** After "Debugging requests" and "Rate limits in headers", with the cookies and traces of the provider's front. */
function writeOpenAiHeaders({ requestId }: Identity): OutgoingHttpHeaders {
  return {
    'x-request-id': requestId,
    'openai-organization': 'org-simulator',
    'openai-project': 'proj_simulator',
    'openai-processing-ms': '42',
    'openai-version': '2020-10-01',
    'x-ratelimit-limit-requests': '10000',
    'x-ratelimit-remaining-requests': '9999',
    'x-ratelimit-reset-requests': '6ms',
    'x-ratelimit-limit-tokens': '2000000',
    'x-ratelimit-remaining-tokens': '1999900',
    'x-ratelimit-reset-tokens': '3ms',
    'cf-ray': '8simulator0-ZRH',
    'set-cookie': ['__cf_bm=simulated; path=/; HttpOnly; Secure; SameSite=None', '_cfuvid=simulated; path=/; HttpOnly'],
    'strict-transport-security': 'max-age=31536000; includeSubDomains; preload',
    'x-content-type-options': 'nosniff',
    'server': 'cloudflare',
  };
}

import type { Provider } from '@tokone/adapter-kit';

const METHOD = { json: 'generateContent', sse: 'streamGenerateContent?alt=sse', 'json-array': 'streamGenerateContent' } as const;

/** Gemini API, "models.generateContent" and "models.streamGenerateContent". Base URL without a version. */
export const geminiProvider: Provider = {
  platform: 'gemini',
  dialect: 'gemini-content',
  path: (head, model) => `/v1beta/models/${encodeURIComponent(model)}:${METHOD[head.framing]}`,
  authorize: (credential) => ['x-goog-api-key', credential],
  defaultHeaders: {},
  outputLimitField: 'maxOutputTokens',
  removesStreamMember: true,
  asksForUsage: false,
  requestIdHeader: 'x-goog-request-id',
};

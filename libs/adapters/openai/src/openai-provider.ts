import type { Provider } from '@tokone/adapter-kit';

/** OpenAI API reference, "Create chat completion". Base URL without `/v1`: `https://api.openai.com`. */
export const openaiProvider: Provider = {
  platform: 'openai',
  dialect: 'openai-chat',
  path: () => '/v1/chat/completions',
  authorize: (credential) => ['authorization', `Bearer ${credential}`],
  defaultHeaders: {},
  outputLimitField: 'max_completion_tokens',
  removesStreamMember: false,
  asksForUsage: true,
  requestIdHeader: 'x-request-id',
};

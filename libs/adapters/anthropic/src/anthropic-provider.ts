import type { Provider } from '@tokone/adapter-kit';

/** Anthropic API, "Messages" and "Versions". Base URL without `/v1`: `https://api.anthropic.com`. */
export const anthropicProvider: Provider = {
  platform: 'anthropic',
  dialect: 'anthropic-messages',
  path: () => '/v1/messages',
  authorize: (credential) => ['x-api-key', credential],
  defaultHeaders: { 'anthropic-version': '2023-06-01' },
  outputLimitField: 'max_tokens',
  removesStreamMember: false,
  asksForUsage: false,
  requestIdHeader: 'request-id',
};

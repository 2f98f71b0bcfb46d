import { expect } from '@jest/globals';
import type { Group, WireAnswer } from './deployment.js';

/** How a caller of one group asks, and what a refusal looks like to it. */
export interface CallerDialect {
  path: string;
  model: string;
  /** A body that is served; `members` are added at the top. */
  body(prompt: string, members?: Record<string, unknown>): Record<string, unknown>;
  /** The member that bounds the output. */
  limit(tokens: number): Record<string, unknown>;
}

export const GROUPS: readonly Group[] = ['openai', 'anthropic', 'gemini'];

export const DIALECTS: Readonly<Record<Group, CallerDialect>> = {
  openai: {
    path: '/v1/chat/completions',
    model: 'gpt-5.5',
    body: (prompt, members) => ({ model: 'gpt-5.5', messages: [{ role: 'user', content: prompt }], ...members }),
    limit: (tokens) => ({ max_completion_tokens: tokens }),
  },
  anthropic: {
    path: '/v1/messages',
    model: 'claude-opus-4-6',
    body: (prompt, members) => ({ model: 'claude-opus-4-6', max_tokens: 100, messages: [{ role: 'user', content: prompt }], ...members }),
    limit: (tokens) => ({ max_tokens: tokens }),
  },
  gemini: {
    path: '/v1beta/models/gemini-3.5-flash:generateContent',
    model: 'gemini-3.5-flash',
    body: (prompt, members) => ({ contents: [{ role: 'user', parts: [{ text: prompt }] }], ...members }),
    limit: (tokens) => ({ generationConfig: { maxOutputTokens: tokens } }),
  },
};

const OPENAI_TYPES: Readonly<Record<number, string>> = { 401: 'authentication_error', 402: 'insufficient_quota', 403: 'permission_error', 429: 'rate_limit_error' };
const ANTHROPIC_TYPES: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  502: 'api_error',
  503: 'overloaded_error',
  504: 'timeout_error',
};
const GEMINI_STATUSES: Readonly<Record<number, string>> = {
  401: 'UNAUTHENTICATED',
  402: 'RESOURCE_EXHAUSTED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  405: 'UNIMPLEMENTED',
  408: 'DEADLINE_EXCEEDED',
  429: 'RESOURCE_EXHAUSTED',
  502: 'UNAVAILABLE',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
};

export interface ExpectedRefusal {
  status: number;
  code: string;
  /** What the sentence for the caller must say. */
  says?: RegExp;
  field?: string;
}

/** The body of an error in the words of each provider, after its own documents. */
export function errorBody(group: Group, { status, code, says = /./, field }: ExpectedRefusal): unknown {
  const message = expect.stringMatching(says);
  switch (group) {
    case 'openai':
      return { error: { message, type: OPENAI_TYPES[status] ?? (status >= 500 ? 'server_error' : 'invalid_request_error'), param: field ?? null, code } };
    case 'anthropic':
      return { type: 'error', error: { type: ANTHROPIC_TYPES[status] ?? 'invalid_request_error', message }, request_id: expect.any(String) };
    case 'gemini':
      return {
        error: {
          code: status,
          message,
          status: GEMINI_STATUSES[status] ?? 'INVALID_ARGUMENT',
          details: [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: code, domain: 'tokone' }],
        },
      };
  }
}

/** Asserts that an answer is exactly this refusal, in the dialect of the group. */
export function expectRefusal(group: Group, answer: WireAnswer, expected: ExpectedRefusal): void {
  expect([answer.status, answer.json()]).toEqual([expected.status, errorBody(group, expected)]);
  expect(answer.headers['content-type']).toBe('application/json');
  expect(answer.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  if (group === 'anthropic') expect(answer.json()['request_id']).toBe(answer.headers['x-request-id']);
}

/** What a client or an upstream speaks on the wire. */
export type Dialect = 'openai-chat' | 'anthropic-messages' | 'gemini-content';

/** The provider family that a group sells. Each speaks one dialect for inference today. */
export type Platform = 'openai' | 'anthropic' | 'gemini';

export const DIALECT_OF_PLATFORM: Readonly<Record<Platform, Dialect>> = {
  openai: 'openai-chat',
  anthropic: 'anthropic-messages',
  gemini: 'gemini-content',
};

export const PLATFORM_OF_DIALECT: Readonly<Record<Dialect, Platform>> = {
  'openai-chat': 'openai',
  'anthropic-messages': 'anthropic',
  'gemini-content': 'gemini',
};

/**
 * How the bytes of an answer are framed:
 * `json` one JSON document; `sse` server-sent events; `json-array` Gemini's stream without `alt=sse`.
 */
export type AnswerFraming = 'json' | 'sse' | 'json-array';

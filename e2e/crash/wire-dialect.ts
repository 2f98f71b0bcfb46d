/** How a test speaks a dialect and what it sees of an answer: written against the providers' documents, apart from the product's own readers. */
export interface WireDialect {
  name: 'openai' | 'anthropic' | 'gemini';
  path(streamed: boolean): string;
  keyHeader(key: string): [string, string];
  body(prompt: string, streamed: boolean): Record<string, unknown>;
  /** Of one event's data or of a whole body. */
  textOf(message: Message): string;
  /** The event after which an answer is whole. */
  isTerminal(data: string, message: Message | undefined): boolean;
}

export interface Message {
  type?: string;
  error?: unknown;
  choices?: { delta?: { content?: string | null }; message?: { content?: string | null } }[];
  delta?: { text?: string };
  content?: { text?: string }[];
  candidates?: { finishReason?: string; content?: { parts?: { text?: string }[] } }[];
}

const openai: WireDialect = {
  name: 'openai',
  path: () => '/v1/chat/completions',
  keyHeader: (key) => ['authorization', `Bearer ${key}`],
  body: (prompt, stream) => ({ model: 'gpt-5-nano', stream, messages: [{ role: 'user', content: prompt }] }),
  textOf: ({ choices }) => choices?.[0]?.delta?.content ?? choices?.[0]?.message?.content ?? '',
  isTerminal: (data) => data === '[DONE]',
};

const anthropic: WireDialect = {
  name: 'anthropic',
  path: () => '/v1/messages',
  keyHeader: (key) => ['x-api-key', key],
  body: (prompt, stream) => ({ model: 'claude-haiku-4-5', max_tokens: 16_000, stream, messages: [{ role: 'user', content: prompt }] }),
  textOf: ({ delta, content }) => delta?.text ?? content?.map(({ text }) => text ?? '').join('') ?? '',
  isTerminal: (_data, message) => message?.type === 'message_stop',
};

const gemini: WireDialect = {
  name: 'gemini',
  path: (streamed) => `/v1beta/models/gemini-2.5-flash:${streamed ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
  keyHeader: (key) => ['x-goog-api-key', key],
  body: (prompt) => ({ contents: [{ role: 'user', parts: [{ text: prompt }] }] }),
  textOf: ({ candidates }) => candidates?.[0]?.content?.parts?.map(({ text }) => text ?? '').join('') ?? '',
  isTerminal: (_data, message) => message?.candidates?.[0]?.finishReason !== undefined,
};

export const WIRE_DIALECTS: readonly WireDialect[] = [openai, anthropic, gemini];

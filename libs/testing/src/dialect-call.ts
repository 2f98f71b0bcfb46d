/** A provider by the name of its group in the quick start. */
export type DialectName = 'openai' | 'anthropic' | 'gemini';

export const DIALECT_NAMES = ['openai', 'anthropic', 'gemini'] as const satisfies readonly DialectName[];

export interface DialectCall {
  model: string;
  prompt: string;
  stream: boolean;
  /** Undefined: no limit, where the dialect allows that. */
  outputLimit?: number | undefined;
  /** Gemini's other framing of a stream, a JSON array. */
  jsonArray?: boolean;
  /** Members that the body has besides. */
  extra?: Readonly<Record<string, unknown>>;
}

/** Path, key header and body of one call, as the provider documents them. The same for the provider and for TokOne. */
export function writeCall(dialect: DialectName, key: string, call: DialectCall): { path: string; headers: Record<string, string>; body: Record<string, unknown> } {
  const { model, prompt, stream, outputLimit, extra } = call;
  const messages = [{ role: 'user', content: prompt }];
  if (dialect === 'openai') {
    const limit = outputLimit === undefined ? {} : { max_completion_tokens: outputLimit };
    return { path: '/v1/chat/completions', headers: { authorization: `Bearer ${key}` }, body: { model, messages, ...(stream && { stream }), ...limit, ...extra } };
  }
  if (dialect === 'anthropic') {
    const body = { model, messages, max_tokens: outputLimit ?? 1_000, ...(stream && { stream }), ...extra };
    return { path: '/v1/messages', headers: { 'x-api-key': key, 'anthropic-version': '2023-06-01' }, body };
  }
  const method = stream ? `streamGenerateContent${call.jsonArray ? '' : '?alt=sse'}` : 'generateContent';
  const generationConfig = outputLimit === undefined ? {} : { generationConfig: { maxOutputTokens: outputLimit } };
  return { path: `/v1beta/models/${model}:${method}`, headers: { 'x-goog-api-key': key }, body: { contents: [{ role: 'user', parts: [{ text: prompt }] }], ...generationConfig, ...extra } };
}

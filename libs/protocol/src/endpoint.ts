import type { AnswerFraming, Dialect } from './dialect.js';

/** An inference endpoint, resolved from a path. */
export interface InferenceEndpoint {
  dialect: Dialect;
  /** Model named in the path (Gemini), percent-decoded. Undefined where the body names it. */
  model: string | undefined;
  /** Framing of the answer when the body does not ask for a stream. */
  framing: AnswerFraming;
  /** What Gemini streams as when the body says `"stream": true`; the others decide by the body alone. */
  streamsByPath: boolean;
}

const OPENAI: InferenceEndpoint = { dialect: 'openai-chat', model: undefined, framing: 'json', streamsByPath: false };
const ANTHROPIC: InferenceEndpoint = { dialect: 'anthropic-messages', model: undefined, framing: 'json', streamsByPath: false };

const FIXED = new Map<string, InferenceEndpoint>([
  ['/v1/chat/completions', OPENAI],
  ['/chat/completions', OPENAI],
  ['/v1/messages', ANTHROPIC],
  ['/messages', ANTHROPIC],
]);

/** `@google/genai` calls `/v1/models/…`, the Gemini CLI and others `/v1beta/models/…`. */
const GEMINI_PREFIXES = ['/v1beta/models/', '/v1/models/'];
const GENERATE = ':generateContent';
const STREAM_GENERATE = ':streamGenerateContent';

/**
 * The inference endpoint at a path (no query), for any method; undefined for everything else.
 * `query` is the part behind `?`: Gemini's `alt=sse` chooses the framing of a stream.
 */
export function findEndpoint(path: string, query: string): InferenceEndpoint | undefined {
  const fixed = FIXED.get(path);
  if (fixed) return fixed;
  for (const prefix of GEMINI_PREFIXES) {
    if (!path.startsWith(prefix)) continue;
    if (path.endsWith(GENERATE)) return gemini(path.slice(prefix.length, -GENERATE.length), 'json');
    if (path.endsWith(STREAM_GENERATE)) {
      return gemini(path.slice(prefix.length, -STREAM_GENERATE.length), asksSse(query) ? 'sse' : 'json-array');
    }
  }
  return undefined;
}

function gemini(encodedModel: string, framing: AnswerFraming): InferenceEndpoint | undefined {
  const model = decode(encodedModel);
  if (model === undefined || model === '') return undefined;
  return { dialect: 'gemini-content', model, framing, streamsByPath: framing !== 'json' };
}

function asksSse(query: string): boolean {
  return query === 'alt=sse' || new URLSearchParams(query).get('alt') === 'sse';
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** A key in the query is refused on every path: URLs end up in logs. */
export function hasKeyInQuery(query: string): boolean {
  if (query === '' || (!query.includes('key') && !query.includes('%'))) return false;
  const parameters = new URLSearchParams(query);
  return parameters.has('key') || parameters.has('api_key');
}

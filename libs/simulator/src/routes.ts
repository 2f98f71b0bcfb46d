import { anthropicDialect } from './anthropic/dialect.js';
import type { Dialect } from './dialect.js';
import { geminiDialect } from './gemini/dialect.js';
import { openAiDialect } from './openai/dialect.js';
import type { IncomingHttpHeaders } from 'node:http';

export interface GenerationRoute {
  readonly dialect: Dialect;
  readonly pathModel?: string;
  readonly pathStreamed?: boolean;
}

const geminiPattern = /^\/v1(?:beta|alpha)?\/models\/([^/:]+):(generateContent|streamGenerateContent)$/;

/** The path of a request that generates, or undefined. */
export function generationRouteOf(path: string): GenerationRoute | undefined {
  if (path === '/v1/chat/completions') return { dialect: openAiDialect };
  if (path === '/v1/messages') return { dialect: anthropicDialect };
  const match = geminiPattern.exec(path);
  if (!match) return undefined;
  return { dialect: geminiDialect, pathModel: decoded(match[1] ?? ''), pathStreamed: match[2] === 'streamGenerateContent' };
}

export interface ModelRoute {
  readonly dialect: Dialect;
  readonly model?: string;
}

/** GET of the model list or of one model; three providers share /v1/models, so headers decide. */
export function modelRouteOf(path: string, headers: IncomingHttpHeaders): ModelRoute | undefined {
  const match = /^\/v1(beta|alpha)?\/models(?:\/([^/:]+))?$/.exec(path);
  if (!match) return undefined;
  const dialect = match[1] ? geminiDialect : dialectOfHeaders(headers);
  return { dialect, ...(match[2] === undefined ? {} : { model: decoded(match[2]) }) };
}

/** Whose error shape an unknown path gets. */
export function dialectOfHeaders(headers: IncomingHttpHeaders): Dialect {
  if (headers['anthropic-version']) return anthropicDialect;
  return headers['x-goog-api-key'] ? geminiDialect : openAiDialect;
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { serveBench } from './bench.js';
import type { Dialect, Identity, JsonObject } from './dialect.js';
import { DirectiveError, Directives } from './directives.js';
import { serveExchange } from './exchange.js';
import { isObject } from './json.js';
import { Refusal } from './refusal.js';
import type { GenerationRoute } from './routes.js';
import type { Pace } from './service.js';
import type { Truth } from './truth.js';

export interface GenerationRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly route: GenerationRoute;
  readonly query: URLSearchParams;
  readonly body: Buffer;
}

const tagsCounted = 10_000;

/** Reads, checks and serves requests that generate. A refused request leaves no truth. */
export class Generation {
  private readonly faultsByTag = new Map<string, number>();

  constructor(
    private readonly truth: Truth,
    private readonly pace: Pace,
    private readonly now: () => number,
  ) {}

  async serve({ request, response, route, query, body }: GenerationRequest): Promise<void> {
    const { dialect } = route;
    if (dialect.name === 'openai-chat' && serveBench(body, response)) return;
    const identity = identityOf(dialect, this.now());
    try {
      const credential = dialect.readCredential(request.headers, query);
      const text = body.toString();
      const prompt = dialect.readPrompt({ headers: request.headers, query, body: parse(text, dialect), ...route });
      const directives = this.conditioned(Directives.read(text), credential);
      const entry = this.truth.open({
        request,
        body,
        credential,
        dialect: dialect.name,
        model: prompt.model,
        streamed: prompt.streamed,
        tag: directives.word('tag'),
        providerRequestId: dialect.name === 'gemini-content' ? identity.answerId : identity.requestId,
        startedAtMs: identity.startedAtMs,
      });
      await serveExchange({ dialect, prompt, directives, identity, response, entry, pace: this.pace, now: this.now });
      this.truth.close(entry);
    } catch (error) {
      const refusal = error instanceof DirectiveError ? new Refusal(400, error.message) : error;
      if (!(refusal instanceof Refusal) || response.headersSent) throw error;
      writeRefusal(response, dialect, { refusal, identity });
    }
  }

  /** Drops the faults when their condition does not hold: another credential, or the first `times` requests are over. */
  private conditioned(directives: Directives, credential: string): Directives {
    const only = directives.word('when-credential');
    if (only !== undefined && credential.slice(-4) !== only) return directives.withoutFaults();
    const times = directives.number('times');
    if (times === undefined) return directives;
    const tag = directives.word('tag');
    if (tag === undefined) throw new DirectiveError('The directive "times" needs a "tag" to count by.');
    const seen = this.faultsByTag.get(tag) ?? 0;
    if (seen >= times) return directives.withoutFaults();
    this.faultsByTag.delete(tag);
    this.faultsByTag.set(tag, seen + 1);
    for (const oldest of this.faultsByTag.keys()) {
      if (this.faultsByTag.size <= tagsCounted) break;
      this.faultsByTag.delete(oldest);
    }
    return directives;
  }
}

export function identityOf(dialect: Dialect, nowMs: number): Identity {
  const answerId = dialect.answerIdPrefix + randomBytes(12).toString('hex');
  return { requestId: `req_${randomBytes(12).toString('hex')}`, answerId, startedAtMs: nowMs };
}

export function writeRefusal(response: ServerResponse, dialect: Dialect, { refusal, identity }: { refusal: Refusal; identity: Identity }): void {
  const { headers, body } = dialect.writeRefusal(refusal, identity.requestId);
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(refusal.status, {
    ...dialect.writeHeaders(identity),
    'content-type': dialect.contentTypes.json,
    ...headers,
    'content-length': bytes.length,
  });
  response.end(bytes);
}

const brokenBodyMessages = {
  'openai-chat': 'We could not parse the JSON body of your request. (HINT: This likely means you aren’t using your HTTP library correctly.)',
  'anthropic-messages': 'The request body is not valid JSON.',
  'gemini-content': 'Invalid JSON payload received. Unexpected token.',
} as const;

function parse(text: string, dialect: Dialect): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (!isObject(value)) throw new Refusal(400, brokenBodyMessages[dialect.name]);
  return value;
}

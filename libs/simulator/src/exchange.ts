import { planAnswer } from './answer.js';
import type { Directives } from './directives.js';
import { Outlet } from './outlet.js';
import { Refusal } from './refusal.js';
import type { Exchange, Service } from './service.js';
import { serveStream } from './stream.js';
import type { Outcome } from './truth.js';
import { serveWholeAnswer } from './whole-answer.js';

/** Serves the request with the faults that it asks for, and leaves the truth in its entry. */
export async function serveExchange(exchange: Exchange): Promise<void> {
  const { entry, directives } = exchange;
  const outlet = new Outlet(exchange.response, {
    splitBytes: directives.number('split-bytes') || undefined,
    gzip: directives.flag('gzip'),
    onBytes: (count) => {
      entry.bytesWritten += count;
    },
  });
  entry.outcome = await serve(exchange, outlet);
  entry.endedAtMs = exchange.now();
  if (outlet.left) entry.clientLeftAtMs = entry.endedAtMs;
}

async function serve(exchange: Exchange, outlet: Outlet): Promise<Outcome> {
  const { directives, entry } = exchange;
  if (!(await outlet.pause(directives.number('delay-ms') ?? 0))) return 'client_left';
  if (directives.flag('redirect')) return redirect(exchange, outlet);
  if (directives.number('status') !== undefined && !errorComesInStream(directives)) return refuse(exchange, outlet);
  if (directives.word('stall') === 'before-head') {
    entry.outcome = 'stalled';
    await outlet.stall();
    return 'stalled';
  }
  const answer = planAnswer({ ...exchange, defaultChunkTokens: exchange.pace.chunkTokens });
  const service: Service = { exchange, answer, outlet };
  entry.status = 200;
  if (!directives.flag('first-event-error')) Object.assign(entry.tokens, { ...answer.tokens, output: 0, reasoning: 0 });
  return exchange.prompt.streamed ? serveStream(service) : serveWholeAnswer(service);
}

function refuse({ dialect, identity, directives, entry }: Exchange, outlet: Outlet): Outcome {
  const status = directives.number('status') ?? 500;
  const retryAfterSeconds = directives.number('retry-after') ?? (status === 429 ? 1 : undefined);
  const { headers, body } = dialect.writeRefusal(new Refusal(status, '', { retryAfterSeconds }), identity.requestId);
  const bytes = outlet.encode(JSON.stringify(body));
  entry.status = status;
  outlet.writeHead(status, {
    ...dialect.writeHeaders(identity),
    'content-type': dialect.contentTypes.json,
    ...headers,
    'content-length': bytes.length,
  });
  void outlet.write(bytes);
  outlet.end();
  return 'error';
}

/** A gateway that follows this sends its credential to a place that nobody chose. */
function redirect({ dialect, identity, entry }: Exchange, outlet: Outlet): Outcome {
  entry.status = 307;
  outlet.writeHead(307, { ...dialect.writeHeaders(identity), 'location': '/redirected', 'content-length': 0 });
  outlet.end();
  return 'error';
}

function errorComesInStream(directives: Directives): boolean {
  return directives.flag('first-event-error') || directives.number('error-after') !== undefined;
}

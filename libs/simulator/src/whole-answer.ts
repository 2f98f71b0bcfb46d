import type { OutgoingHttpHeaders } from 'node:http';
import type { Directives } from './directives.js';
import { pieceBytes } from './outlet.js';
import { cut, finish, stall, streamRefusal, type Service } from './service.js';
import type { Outcome } from './truth.js';

/** Serves an answer that is not streamed. `…-after=N` counts bytes of the body here. */
export async function serveWholeAnswer(service: Service): Promise<Outcome> {
  const { exchange, answer, outlet } = service;
  const { dialect, directives, identity, entry } = exchange;
  const headers = { ...dialect.writeHeaders(identity, answer.serviceTier), 'content-type': dialect.contentTypes.json };
  if (directives.flag('endless')) return serveEndlessBody(service, headers);
  const failed = directives.flag('first-event-error');
  const { body, usage } = failed
    ? { ...dialect.writeRefusal(streamRefusal(exchange), identity.requestId), usage: null }
    : dialect.writeAnswer(answer);
  const text = JSON.stringify(body);
  const bytes = outlet.encode(directives.flag('bad-json') ? text.slice(0, text.length / 2) : text);
  const stop = stopOf(directives);
  const sentBytes = Math.min(stop?.afterBytes ?? Infinity, bytes.length);
  outlet.writeHead(200, stop?.kind === 'end' ? headers : { ...headers, 'content-length': bytes.length });
  if (sentBytes === 0) outlet.flushHead();
  const outcome = failed ? 'error' : stop && sentBytes < bytes.length ? 'cut' : 'complete';
  const count = (handedBytes: number): void => {
    if (failed) return;
    entry.tokens.output = Math.floor((answer.tokens.output * handedBytes) / bytes.length);
    entry.tokens.reasoning = answer.tokens.reasoning;
    entry.reported = handedBytes === bytes.length ? usage : null;
  };
  // The truth is written before the last piece: a client that has it may look at once.
  const lastPiece = Math.max(0, sentBytes - pieceBytes);
  let taken = await outlet.write(bytes.subarray(0, lastPiece));
  if (taken) {
    count(sentBytes);
    if (outcome !== 'cut') entry.outcome = outcome;
    taken = await outlet.write(bytes.subarray(lastPiece, sentBytes));
  }
  if (!taken) {
    count(Math.min(entry.bytesWritten, bytes.length));
    return 'client_left';
  }
  if (stop?.kind === 'stall') return stall(service);
  if (stop?.kind === 'cut') return cut(service);
  return finish(service, outcome);
}

/** A body that is not streamed has no text without end; white space before a JSON value is legal and never done. */
async function serveEndlessBody(service: Service, headers: OutgoingHttpHeaders): Promise<Outcome> {
  const { outlet, exchange } = service;
  outlet.writeHead(200, headers);
  const blank = Buffer.alloc(1024, 0x20);
  const delayMs = exchange.directives.number('chunk-delay-ms') ?? exchange.pace.chunkDelayMs;
  while ((await outlet.write(blank)) && (await outlet.pause(delayMs))) continue;
  return 'client_left';
}

type Stop = { readonly kind: 'cut' | 'end' | 'stall'; readonly afterBytes: number };

function stopOf(directives: Directives): Stop | undefined {
  for (const kind of ['cut', 'end', 'stall'] as const) {
    const afterBytes = directives.number(`${kind}-after`);
    if (afterBytes !== undefined) return { kind, afterBytes };
  }
  return directives.flag('stall') ? { kind: 'stall', afterBytes: 0 } : undefined;
}

import type { StreamEvent } from './dialect.js';
import type { Directives } from './directives.js';
import { cut, finish, stall, streamRefusal, type Service } from './service.js';
import { framingOf, type Framing } from './framing.js';
import type { Outcome } from './truth.js';

/** Serves a streamed answer. `…-after=N` counts events with generated text here. */
export async function serveStream(service: Service): Promise<Outcome> {
  const { dialect, identity, directives, prompt } = service.exchange;
  service.outlet.writeHead(200, {
    ...dialect.writeHeaders(identity, service.answer.serviceTier),
    'content-type': prompt.framing === 'sse' ? dialect.contentTypes.sse : dialect.contentTypes.json,
    'cache-control': 'no-cache',
  });
  service.outlet.flushHead();
  if (directives.flag('stall')) return stall(service);
  return writeEvents(service, framingOf(prompt.framing, directives.flag('crlf') ? '\r\n' : '\n'));
}

/** Writes the events at their pace, until the end or the fault that the prompt asked for. */
async function writeEvents(service: Service, framing: Framing): Promise<Outcome> {
  const { exchange, answer, outlet } = service;
  const { directives, entry } = exchange;
  const delayMs = directives.number('chunk-delay-ms') ?? exchange.pace.chunkDelayMs;
  const send = (text: string): Promise<boolean> => (text === '' ? Promise.resolve(!outlet.left) : outlet.write(outlet.encode(text)));
  let opening = framing.opening;
  for (const event of exchange.dialect.streamAnswer(answer)) {
    const ending = dueEnding(directives, entry.contentEvents);
    if (ending) return endEarly(service, { ...framing, opening }, ending);
    if (event.terminal && directives.flag('no-done')) continue;
    if (event.content && entry.contentEvents > 0 && !(await outlet.pause(delayMs))) return 'client_left';
    if (directives.flag('comments') && !(await send(framing.comment('keep-alive')))) return 'client_left';
    if (outlet.left) return 'client_left';
    const damaged = event.content && entry.contentEvents === 0 && directives.flag('bad-json');
    count(service, event);
    const text = opening + framing.frame(damaged ? { ...event, data: event.data.slice(0, event.data.length / 2) } : event);
    opening = '';
    // A client that has seen the last event may look at the truth, or go, before this write has come back.
    if (event.last) entry.outcome = 'complete';
    if (!(await send(text))) return 'client_left';
  }
  await send(framing.closing);
  return finish(service, 'complete');
}

type Ending = 'error' | 'cut' | 'end' | 'stall';

/** A fault after N content events happens before the event that would come next. */
function dueEnding(directives: Directives, contentEvents: number): Ending | undefined {
  if (directives.flag('first-event-error')) return 'error';
  for (const ending of ['error', 'cut', 'end', 'stall'] as const) {
    const after = directives.number(`${ending}-after`);
    if (after !== undefined && contentEvents >= after) return ending;
  }
  return undefined;
}

async function endEarly(service: Service, framing: Framing, ending: Ending): Promise<Outcome> {
  const { exchange, outlet } = service;
  if (ending === 'stall') return stall(service);
  if (ending === 'cut') return cut(service);
  if (ending === 'end') return finish(service, 'cut');
  const refusal = streamRefusal(exchange);
  const event = exchange.dialect.writeErrorEvent(refusal, exchange.identity.requestId);
  exchange.entry.outcome = 'error';
  const written = await outlet.write(outlet.encode(framing.opening + framing.frame(event) + framing.closing));
  return written ? finish(service, 'error') : 'client_left';
}

function count({ exchange: { entry } }: Service, event: StreamEvent): void {
  entry.tokens.output += event.outputTokens ?? 0;
  entry.tokens.reasoning += event.reasoningTokens ?? 0;
  // Anthropic splits cache writes in its first usage only; the later ones overrule what they repeat.
  if (event.usage) entry.reported = { ...entry.reported, ...event.usage };
  if (event.content) entry.contentEvents += 1;
}

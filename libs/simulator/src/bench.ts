import type { ServerResponse } from 'node:http';

const answerId = 'chatcmpl-bench';
const eventCount = 64;
const pacedIntervalMs = 20;
const usage = {
  prompt_tokens: 12,
  completion_tokens: eventCount,
  total_tokens: 12 + eventCount,
  prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
};

const jsonBody = Buffer.from(
  JSON.stringify({
    id: answerId,
    object: 'chat.completion',
    created: 1_764_547_200,
    model: 'bench-json',
    choices: [{ index: 0, message: { role: 'assistant', content: 'The same answer every time, '.repeat(4), refusal: null }, finish_reason: 'stop' }],
    usage,
    service_tier: 'default',
  }),
);

const events: readonly Buffer[] = Array.from({ length: eventCount }, (_, index) => {
  const frame = { id: answerId, object: 'chat.completion.chunk', created: 1_764_547_200, model: 'bench' };
  const delta = index === 0 ? { role: 'assistant', content: 'tok ' } : { content: 'tok ' };
  return Buffer.from(`data: ${JSON.stringify({ ...frame, choices: [{ index: 0, delta, finish_reason: index === eventCount - 1 ? 'stop' : null }], usage: null })}\n\n`);
});

const ending = Buffer.from(
  `data: ${JSON.stringify({ id: answerId, object: 'chat.completion.chunk', created: 1_764_547_200, model: 'bench', choices: [], usage })}\n\ndata: [DONE]\n\n`,
);
const burst = Buffer.concat([...events, ending]);

const jsonHead = ['content-type', 'application/json', 'x-request-id', 'req_bench', 'content-length', String(jsonBody.length)];
const streamHead = ['content-type', 'text/event-stream; charset=utf-8', 'x-request-id', 'req_bench', 'cache-control', 'no-cache'];

const nameLength = 10;
const searchedBytes = 4096;

/**
 * Answers the models `bench-json`, `bench-burst` and `bench-paced` with bytes made beforehand: no parsing, no credential,
 * no truth, so that a measurement shows the gateway and not this server. False for every other model.
 */
export function serveBench(body: Buffer, response: ServerResponse): boolean {
  const at = body.subarray(0, searchedBytes).indexOf('"bench-');
  if (at < 0 || !/"model"\s*:\s*$/.test(body.toString('latin1', Math.max(0, at - 16), at))) return false;
  switch (body.toString('latin1', at + 1, at + 1 + nameLength + 2).split('"', 1)[0]) {
    case 'bench-json':
      response.writeHead(200, jsonHead).end(jsonBody);
      return true;
    case 'bench-burst':
      response.writeHead(200, streamHead).end(burst);
      return true;
    case 'bench-paced':
      response.writeHead(200, streamHead);
      servePaced(response);
      return true;
    default:
      return false;
  }
}

function servePaced(response: ServerResponse): void {
  let next = 0;
  const timer = setInterval(() => {
    const event = events[next];
    next += 1;
    if (event) response.write(event);
    if (next < eventCount) return;
    clearInterval(timer);
    response.end(ending);
  }, pacedIntervalMs);
  response.on('close', () => clearInterval(timer));
}

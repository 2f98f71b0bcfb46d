import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI, { RateLimitError } from 'openai';
import { startSimulator, type Simulator } from './server.js';
import type { TruthRecord } from './truth.js';

let simulator: Simulator;
beforeAll(async () => {
  simulator = await startSimulator({ chunkDelayMs: 0 });
});
afterAll(() => simulator.close());

interface Received {
  status: number;
  headers: IncomingHttpHeaders;
  pieces: Buffer[];
  text: string;
  /** The body ended as HTTP says it must. */
  clean: boolean;
  elapsedMs: number;
}

const bodies = {
  openai: (text: string, stream: boolean) => ({ path: '/v1/chat/completions', body: { model: 'gpt-5.5', stream, messages: [{ role: 'user', content: text }] } }),
  anthropic: (text: string, stream: boolean) => ({
    path: '/v1/messages',
    body: { model: 'claude-opus-4-6', max_tokens: 4000, stream, messages: [{ role: 'user', content: text }] },
  }),
  gemini: (text: string, stream: boolean) => ({
    path: `/v1beta/models/gemini-3.5-flash:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
    body: { contents: [{ parts: [{ text }] }] },
  }),
  geminiArray: (text: string) => ({ path: '/v1beta/models/gemini-3.5-flash:streamGenerateContent', body: { contents: [{ parts: [{ text }] }] } }),
} as const;
type Provider = keyof typeof bodies;
const providers = ['openai', 'anthropic', 'gemini'] as const;

function receive(provider: Provider, text: string, stream = true): Promise<Received> {
  const { path, body } = bodies[provider](text, stream);
  const headers = { 'authorization': 'Bearer sk-1111', 'x-goog-api-key': 'sk-1111', 'anthropic-version': '2023-06-01' };
  const begun = Date.now();
  return new Promise((resolve, reject) => {
    const request = httpRequest(`${simulator.url}${path}`, { method: 'POST', headers, agent: false }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('error', () => undefined);
      response.on('close', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          pieces,
          text: Buffer.concat(pieces).toString(),
          clean: response.complete,
          elapsedMs: Date.now() - begun,
        }),
      );
    });
    request.on('error', reject);
    request.end(JSON.stringify(body));
  });
}

function lastTruth(): TruthRecord {
  const record = simulator.truth().at(-1);
  if (!record) throw new Error('No request was accepted.');
  return record;
}

async function untilTruth(condition: (record: TruthRecord) => boolean): Promise<TruthRecord> {
  const deadline = Date.now() + 5000;
  for (;;) {
    const record = lastTruth();
    if (condition(record)) return record;
    if (Date.now() > deadline) throw new Error(`The truth stayed ${JSON.stringify(record)}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('status=NNN', () => {
  it.each([
    ['openai', 400, 'invalid_request_error'],
    ['openai', 401, 'invalid_api_key'],
    ['openai', 403, 'request_forbidden'],
    ['openai', 429, 'rate_limit_exceeded'],
    ['openai', 500, 'server_error'],
    ['openai', 503, 'server_error'],
    ['anthropic', 400, 'invalid_request_error'],
    ['anthropic', 401, 'authentication_error'],
    ['anthropic', 403, 'permission_error'],
    ['anthropic', 404, 'not_found_error'],
    ['anthropic', 413, 'request_too_large'],
    ['anthropic', 429, 'rate_limit_error'],
    ['anthropic', 500, 'api_error'],
    ['anthropic', 529, 'overloaded_error'],
    ['gemini', 400, 'INVALID_ARGUMENT'],
    ['gemini', 401, 'UNAUTHENTICATED'],
    ['gemini', 403, 'PERMISSION_DENIED'],
    ['gemini', 429, 'RESOURCE_EXHAUSTED'],
    ['gemini', 500, 'INTERNAL'],
    ['gemini', 503, 'UNAVAILABLE'],
  ] as const)('%s answers %i with its own error %s', async (provider, status, word) => {
    const received = await receive(provider, `[[sim: status=${status}]]`);
    expect(received.status).toBe(status);
    expect(JSON.stringify(JSON.parse(received.text))).toContain(`"${word}"`);
    expect(lastTruth()).toMatchObject({ outcome: 'error', status, tokens: { input: 0, output: 0 }, reported: null });
  });

  it.each(providers)('%s says with 429 when to come back', async (provider) => {
    expect((await receive(provider, '[[sim: status=429]]')).headers['retry-after']).toBe('1');
    expect((await receive(provider, '[[sim: status=429 retry-after=21]]')).headers['retry-after']).toBe('21');
  });

  it('raises the typed errors of the SDKs', async () => {
    const openai = new OpenAI({ apiKey: 'k', baseURL: `${simulator.url}/v1`, maxRetries: 0 });
    const asked = openai.chat.completions.create({ model: 'm', messages: [{ role: 'user', content: '[[sim: status=429]]' }] });
    await expect(asked).rejects.toBeInstanceOf(RateLimitError);
  });
});

describe('errors inside a stream', () => {
  it.each([...providers, 'geminiArray'] as const)('first-event-error: %s answers 200 and nothing but an error', async (provider) => {
    const received = await receive(provider, '[[sim: first-event-error]]');
    expect(received).toMatchObject({ status: 200, clean: true });
    expect(received.text.match(/"error":/g)).toHaveLength(1);
    expect(received.text).not.toContain('usage');
    expect(lastTruth()).toMatchObject({ outcome: 'error', tokens: { input: 0, output: 0 }, contentEvents: 0 });
  });

  it('error-after=N sends N events and then the error that status names', async () => {
    const received = await receive('anthropic', '[[sim: error-after=3 status=500]]');
    expect(received.text.match(/event: content_block_delta/g)).toHaveLength(3);
    expect(received.text.trim().split('\n\n').at(-1)).toMatch(/^event: error\ndata: \{"type":"error","error":\{"type":"api_error"/);
    expect(lastTruth()).toMatchObject({ outcome: 'error', contentEvents: 3, tokens: { output: 12 } });
  });

  it('makes the SDK throw in the middle of its loop', async () => {
    const client = new Anthropic({ apiKey: 'k', baseURL: simulator.url, maxRetries: 0 });
    const stream = client.messages.stream({ model: 'm', max_tokens: 999, messages: [{ role: 'user', content: '[[sim: error-after=2]]' }] });
    await expect(stream.finalMessage()).rejects.toThrow(/Overloaded/);
  });

  it('bad-json breaks one event of a stream and the body of an answer', async () => {
    const streamed = await receive('openai', '[[sim: bad-json]]');
    const broken = streamed.text.split('\n\n').filter((event) => {
      try {
        JSON.parse(event.replace('data: ', ''));
        return false;
      } catch {
        return event !== '' && !event.includes('[DONE]');
      }
    });
    expect(broken).toHaveLength(1);
    const whole = await receive('openai', '[[sim: bad-json]]', false);
    expect(() => JSON.parse(whole.text) as unknown).toThrow(SyntaxError);
    expect(whole).toMatchObject({ status: 200, clean: true });
  });
});

describe('answers that break off', () => {
  it.each(providers)('cut-after=N: %s sends N events and then no clean end', async (provider) => {
    const received = await receive(provider, '[[sim: cut-after=2 chunk-tokens=5]]');
    expect(received.clean).toBe(false);
    expect(lastTruth()).toMatchObject({ outcome: 'cut', contentEvents: 2, tokens: { output: 10 } });
  });

  it('cut-after=N cuts a whole answer after N bytes', async () => {
    const received = await receive('openai', '[[sim: cut-after=100 output-tokens=1000]]', false);
    expect(received.clean).toBe(false);
    expect(received.text).toHaveLength(100);
    expect(lastTruth()).toMatchObject({ outcome: 'cut', bytesWritten: 100, reported: null });
    expect(lastTruth().tokens.output).toBeLessThan(100);
  });

  it.each([...providers, 'geminiArray'] as const)('end-after=N: %s ends cleanly without its last event', async (provider) => {
    const received = await receive(provider, '[[sim: end-after=2]]');
    expect(received.clean).toBe(true);
    expect(received.text).not.toMatch(/\[DONE\]|message_stop|finishReason|\]\n$/);
    expect(lastTruth()).toMatchObject({ outcome: 'cut', contentEvents: 2 });
  });

  it('end-after=N ends a whole answer cleanly after N bytes', async () => {
    expect(await receive('gemini', '[[sim: end-after=50]]', false)).toMatchObject({ clean: true, text: expect.stringMatching(/^.{50}$/s) });
  });

  it('no-done leaves out the terminal event only', async () => {
    const openai = await receive('openai', '[[sim: no-done]]');
    expect(openai.text).toContain('"finish_reason":"stop"');
    expect(openai.text).not.toContain('[DONE]');
    const anthropic = await receive('anthropic', '[[sim: no-done]]');
    expect(anthropic.text).toContain('message_delta');
    expect(anthropic.text).not.toContain('message_stop');
  });
});

describe('answers that stand still', () => {
  function begin(text: string, stream: boolean) {
    const { path, body } = bodies.openai(text, stream);
    let received = '';
    let headSeen = false;
    const request = httpRequest(`${simulator.url}${path}`, { method: 'POST', headers: { authorization: 'Bearer k' }, agent: false }, (response) => {
      headSeen = true;
      response.on('data', (piece: Buffer) => (received += piece.toString()));
      response.on('error', () => undefined);
    });
    request.on('error', () => undefined);
    request.end(JSON.stringify(body));
    return { leave: () => request.destroy(), received: () => received, headSeen: () => headSeen };
  }
  const until = async (condition: () => boolean) => {
    const deadline = Date.now() + 5000;
    while (!condition()) {
      if (Date.now() > deadline) throw new Error('The condition never held.');
      await new Promise((resolve) => setImmediate(resolve));
    }
  };

  it.each([true, false])('stall sends the head and nothing more until the client leaves (stream: %s)', async (stream) => {
    const call = begin('[[sim: stall tag=head]]', stream);
    await until(() => call.headSeen());
    expect(await untilTruth((record) => record.outcome === 'stalled')).toMatchObject({ tag: 'head', status: 200, endedAt: null, bytesWritten: 0 });
    call.leave();
    expect(await untilTruth((record) => record.endedAt !== null)).toMatchObject({ outcome: 'stalled', clientLeftAt: expect.any(String) });
    expect(call.received()).toBe('');
  });

  it('stall=before-head sends nothing at all', async () => {
    const call = begin('[[sim: stall=before-head tag=none]]', true);
    expect(await untilTruth((record) => record.tag === 'none' && record.outcome === 'stalled')).toMatchObject({ status: null });
    call.leave();
    await untilTruth((record) => record.endedAt !== null);
    expect(call.headSeen()).toBe(false);
  });

  it('stall-after=N sends N events first', async () => {
    const call = begin('[[sim: stall-after=2 tag=two]]', true);
    await untilTruth((record) => record.tag === 'two' && record.outcome === 'stalled');
    await until(() => (call.received().match(/"content":"[^"]+"/g) ?? []).length === 2);
    call.leave();
    await untilTruth((record) => record.endedAt !== null);
  });

  it('delay-ms delays the head, chunk-delay-ms each event after the first', async () => {
    expect((await receive('openai', 'Reply with OK [[sim: delay-ms=60]]', false)).elapsedMs).toBeGreaterThanOrEqual(55);
    const paced = await receive('openai', '[[sim: chunk-delay-ms=20 output-tokens=4 chunk-tokens=1]]');
    expect(paced.elapsedMs).toBeGreaterThanOrEqual(55);
  });
});

describe('bytes in odd shapes', () => {
  it('split-bytes=1 with multibyte sends the same text in pieces that break characters', async () => {
    const plain = await receive('anthropic', '[[sim: multibyte output-tokens=20 tag=x]]');
    const split = await receive('anthropic', '[[sim: multibyte output-tokens=20 split-bytes=1]]');
    const text = (body: string) => [...body.matchAll(/"text_delta","text":"([^"]*)"/g)].map((match) => match[1]).join('');
    expect(Buffer.byteLength(text(split.text))).toBe(80);
    expect(Buffer.byteLength(text(plain.text))).toBe(80);
    expect(split.pieces.length).toBeGreaterThan(Buffer.byteLength(split.text) / 4);
    expect(lastTruth().tokens.output).toBe(20);
  });

  it('crlf ends every line of the stream with CRLF', async () => {
    const { text } = await receive('anthropic', '[[sim: crlf]]');
    expect(text).toContain('event: message_start\r\ndata: ');
    expect(text.replaceAll('\r\n', '')).not.toContain('\n');
  });

  it.each(['crlf comments', 'comments split-bytes=7', 'gzip', 'multibyte crlf split-bytes=3'])('the SDK reads a stream with %s', async (shape) => {
    const client = new OpenAI({ apiKey: 'k', baseURL: `${simulator.url}/v1`, maxRetries: 0 });
    const asked = client.chat.completions.stream({ model: 'm', messages: [{ role: 'user', content: `[[sim: ${shape} output-tokens=24]]` }] });
    expect(Buffer.byteLength((await asked.finalContent()) ?? '')).toBe(96);
  });

  it('comments puts comment lines between the events', async () => {
    expect((await receive('openai', '[[sim: comments]]')).text).toMatch(/^: keep-alive\n\ndata: /);
  });

  it('gzip encodes although nobody asked for it', async () => {
    const received = await receive('openai', 'Reply with OK [[sim: gzip]]', false);
    expect(received.headers['content-encoding']).toBe('gzip');
    expect(JSON.parse(gunzipSync(Buffer.concat(received.pieces)).toString())).toMatchObject({ object: 'chat.completion' });
  });

  it('redirect points elsewhere instead of answering', async () => {
    expect(await receive('openai', '[[sim: redirect]]')).toMatchObject({ status: 307, headers: { location: '/redirected' } });
  });

  it('big=BYTES makes an answer of about that size', async () => {
    const { text } = await receive('anthropic', '[[sim: big=1000000]]', false);
    expect(text.length).toBeGreaterThan(1_000_000);
    expect(text.length).toBeLessThan(1_100_000);
    expect(lastTruth()).toMatchObject({ tokens: { output: 250_000 }, reported: { output_tokens: 250_000 } });
  });
});

describe('usage that lies or is missing', () => {
  it.each([
    ['openai', true], ['openai', false], ['anthropic', true], ['anthropic', false], ['gemini', true], ['gemini', false],
  ] as const)('no-usage: %s reports none (stream: %s), and the truth still counts', async (provider, stream) => {
    const { text } = await receive(provider, '[[sim: no-usage output-tokens=9]]', stream);
    expect(text).not.toMatch(/prompt_tokens|input_tokens|promptTokenCount/);
    expect(lastTruth()).toMatchObject({ reported: null, tokens: { output: 9 }, outcome: 'complete' });
  });

  it.each(providers)('reported-output-tokens: %s claims what it is told to', async (provider) => {
    await receive(provider, '[[sim: output-tokens=9 reported-output-tokens=777]]', provider !== 'openai');
    const { reported, tokens } = lastTruth();
    expect(tokens.output).toBe(9);
    expect(Object.values(reported ?? {})).toContain(777);
  });

  it('finish overrules the reason', async () => {
    expect((await receive('anthropic', '[[sim: finish=length]]')).text).toContain('"stop_reason":"max_tokens"');
    expect((await receive('gemini', '[[sim: finish=content_filter]]')).text).toContain('"finishReason":"SAFETY"');
    expect((await receive('openai', '[[sim: finish=odd]]')).text).toContain('"finish_reason":"odd"');
  });
});

describe('faults on condition', () => {
  it('times=N lets the request with that tag succeed after N faults', async () => {
    const statuses: number[] = [];
    for (let turn = 0; turn < 3; turn += 1) statuses.push((await receive('openai', '[[sim: status=503 times=2 tag=retry]]')).status);
    expect(statuses).toEqual([503, 503, 200]);
  });

  it('when-credential spares every other credential', async () => {
    expect((await receive('openai', '[[sim: status=503 when-credential=1111]]')).status).toBe(503);
    expect((await receive('openai', '[[sim: status=503 when-credential=2222]]')).status).toBe(200);
  });
});

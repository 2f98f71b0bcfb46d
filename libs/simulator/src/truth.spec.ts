import { createHash } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { startSimulator, type Simulator } from './server.js';
import type { TruthRecord } from './truth.js';

let simulator: Simulator;
beforeEach(async () => {
  simulator = await startSimulator({ chunkDelayMs: 0, truthCapacity: 5 });
});
afterEach(() => simulator.close());

const bodyOf = (text: string, stream = false) =>
  JSON.stringify({ model: 'gpt-5.5', stream, stream_options: stream ? { include_usage: true } : undefined, messages: [{ role: 'user', content: text }] });

const post = (body: string, key = 'sk-secret-4711') =>
  fetch(`${simulator.url}/v1/chat/completions`, { method: 'POST', headers: { 'authorization': `Bearer ${key}`, 'user-agent': 'spec/1' }, body });

async function linesOf(query = ''): Promise<TruthRecord[]> {
  const text = await (await fetch(`${simulator.url}/truth${query}`)).text();
  return text.split('\n').filter(Boolean).map((line) => JSON.parse(line) as TruthRecord);
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`The condition never held: ${JSON.stringify(simulator.truth())}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('the truth', () => {
  it('has one line for each accepted request, with what was really sent', async () => {
    const body = bodyOf('[[sim: input-tokens=11 cache-read=5 reasoning-tokens=3 output-tokens=40 tag=one]]', true);
    const answer = await post(body);
    const bytes = (await answer.arrayBuffer()).byteLength;
    const [record] = await linesOf();
    expect(record).toMatchObject({
      tag: 'one',
      dialect: 'openai-chat',
      credential: '4711',
      model: 'gpt-5.5',
      streamed: true,
      tokens: { input: 11, cacheRead: 5, cacheWrite5m: 0, cacheWrite1h: 0, output: 40, reasoning: 3 },
      reported: { prompt_tokens: 16, completion_tokens: 43 },
      outcome: 'complete',
      status: 200,
      providerRequestId: answer.headers.get('x-request-id'),
      bytesWritten: bytes,
      bodySha256: createHash('sha256').update(body).digest('hex'),
      bodyBytes: body.length,
      requestHeaders: { userAgent: 'spec/1' },
    });
    expect(record?.requestHeaders.names).toContain('authorization');
    expect(JSON.stringify(record)).not.toContain('sk-secret');
    expect(Date.parse(record?.endedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(record?.startedAt ?? ''));
  });

  it('has no line for a request that was refused', async () => {
    await post('{"model":', 'k');
    await post(bodyOf('hi'), 'invalid');
    await post(JSON.stringify({ model: 'm' }));
    expect(await linesOf()).toEqual([]);
  });

  it('keeps the newest requests only, and gives what came after an id', async () => {
    for (let turn = 0; turn < 7; turn += 1) await (await post(bodyOf(`[[sim: tag=t${turn}]]`))).text();
    const all = await linesOf();
    expect(all.map((record) => record.tag)).toEqual(['t2', 't3', 't4', 't5', 't6']);
    expect((await linesOf(`?since=${all[2]?.id}`)).map((record) => record.tag)).toEqual(['t5', 't6']);
    expect(await linesOf('?since=another-3')).toHaveLength(5);
    expect(await linesOf('?tag=t4')).toHaveLength(1);
    expect(simulator.truth(all[3]?.id)).toHaveLength(1);
  });

  it('gives back the bytes of the last request with a tag', async () => {
    const body = bodyOf('first  spaced [[sim: tag=raw]]').replace('{', '{  ');
    await (await post(body)).text();
    await (await post(bodyOf('untagged'))).text();
    expect(await (await fetch(`${simulator.url}/truth/last-body?tag=raw`)).text()).toBe(body);
    expect((await fetch(`${simulator.url}/truth/last-body?tag=other`)).status).toBe(404);
  });

  it('remembers the bodies of the newest 100 tags only', async () => {
    for (let turn = 0; turn < 101; turn += 1) await (await post(bodyOf(`[[sim: tag=n${turn}]]`))).text();
    expect((await fetch(`${simulator.url}/truth/last-body?tag=n0`)).status).toBe(404);
    expect((await fetch(`${simulator.url}/truth/last-body?tag=n1`)).status).toBe(200);
  });

  it('notes a client that leaves, and stops working for it', async () => {
    const request = httpRequest(`${simulator.url}/v1/chat/completions`, { method: 'POST', headers: { authorization: 'Bearer k' }, agent: false }, (response) => {
      response.once('data', () => request.destroy());
      response.on('error', () => undefined);
    });
    request.on('error', () => undefined);
    request.end(bodyOf('[[sim: endless]]', true));
    await until(() => simulator.truth().at(-1)?.endedAt != null);
    const record = simulator.truth().at(-1);
    expect(record).toMatchObject({ outcome: 'client_left', reported: null, clientLeftAt: expect.any(String) });
    await new Promise((resolve) => setImmediate(resolve));
    expect(simulator.truth().at(-1)?.bytesWritten).toBe(record?.bytesWritten);
  });
});

describe('back-pressure', () => {
  it.each([true, false])('an endless answer to a reader that stops is held back (stream: %s)', async (stream) => {
    const body = bodyOf('[[sim: endless chunk-delay-ms=0 chunk-tokens=500]]', stream);
    const socket = connect({ port: Number(new URL(simulator.url).port), host: '127.0.0.1' });
    socket.write(`POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    socket.pause();
    const written = () => simulator.truth().at(-1)?.bytesWritten ?? 0;
    await until(() => written() > 0);
    // Held back means: the count stands still for a while although the answer has no end.
    let last = -1;
    let standing = 0;
    const deadline = Date.now() + 10_000;
    while (standing < 2000) {
      standing = written() === last ? standing + 1 : 0;
      last = written();
      if (Date.now() > deadline) throw new Error(`Still writing after ${last} bytes.`);
      await new Promise((resolve) => setImmediate(resolve));
    }
    // What the operating system buffers for a loopback connection, and one high-water mark of the server.
    expect(last).toBeLessThan(16 * 1024 * 1024);
    expect(simulator.truth().at(-1)).toMatchObject({ outcome: 'running', endedAt: null });
    socket.resume();
    await until(() => written() > last + 1024 * 1024);
    socket.destroy();
    await until(() => simulator.truth().at(-1)?.outcome === 'client_left');
  });

  it('an answer of 20 MB arrives whole at a slow reader', async () => {
    const answer = await post(bodyOf('[[sim: big=20000000]]'));
    const completion = (await answer.json()) as { choices: [{ message: { content: string } }] };
    expect(completion.choices[0].message.content).toHaveLength(20_000_000);
    expect(simulator.truth().at(-1)).toMatchObject({ outcome: 'complete', tokens: { output: 5_000_000 } });
  });
});

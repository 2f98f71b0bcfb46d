import { createServer } from 'node:http';
import type { Server, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { GatewayError } from '@tokone/protocol';
import type { Dialect } from '@tokone/protocol';
import { ClientAnswer, writeRefusal } from './client-answer.js';

const error = new GatewayError('upstream_failed', 'The provider failed.');
const SSE = { 'content-type': 'text/event-stream' };
const STALL_MS = 400;

/** A client that reads raw bytes as fast or as slowly as a test says. */
class RawClient {
  received = Buffer.alloc(0);
  bytes = 0;
  ended = false;
  closed = false;

  constructor(readonly socket: Socket) {
    socket.on('data', (chunk) => {
      this.bytes += chunk.length;
      if (this.bytes < 1e6) this.received = Buffer.concat([this.received, chunk]);
    });
    socket.on('end', () => (this.ended = true)).on('close', () => (this.closed = true)).on('error', () => undefined);
    socket.write('POST /v1/x HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n');
  }

  get text(): string {
    return this.received.toString();
  }
}

let server: Server;
let client: RawClient;
let response: ServerResponse;
let gone: number;
let drained: number;
let run = 0;

beforeEach(async () => {
  gone = drained = 0;
  run++;
  const arrived = new Promise<ServerResponse>((resolve) => {
    server = createServer((_request, answer) => resolve(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  client = new RawClient(connect((server.address() as AddressInfo).port, '127.0.0.1'));
  response = await arrived;
});

afterEach(async () => {
  client.socket.destroy();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function answerOf(dialect: Dialect = 'openai-chat', stallTimeoutMs = STALL_MS): ClientAnswer {
  // The connection of one test may be seen to close during the next one.
  const mine = run;
  const count = (event: 'gone' | 'drain') => {
    if (mine !== run) return;
    if (event === 'gone') gone++;
    else drained++;
  };
  return new ClientAnswer({ response, requestId: 'req-1', dialect, stallTimeoutMs, onGone: () => count('gone'), onDrain: () => count('drain') });
}

async function until(condition: () => boolean, deadlineMs = 8_000): Promise<void> {
  const startedAtMs = performance.now();
  while (!condition()) {
    if (performance.now() - startedAtMs > deadlineMs) throw new Error(`it did not come to pass within ${deadlineMs} ms; the client has ${client.bytes} bytes`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('a whole answer', () => {
  it('leaves with its length when it comes at once', async () => {
    const answer = answerOf();
    answer.begin(200, { 'content-type': 'application/json' }, 'json');
    expect(answer.headSent).toBe(false);
    answer.finish([Buffer.from('{"a":'), Buffer.from('1}')]);
    await until(() => client.text.endsWith('{"a":1}'));
    expect(client.text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(client.text).toContain('content-length: 7\r\n');
    expect(client.text).toContain('x-request-id: req-1\r\n');
    await until(() => response.writableFinished);
    expect([gone, client.closed]).toEqual([0, false]);
  });

  it('leaves in order when it comes in parts, and ends cleanly once', async () => {
    const answer = answerOf();
    answer.begin(201, SSE, 'sse');
    expect(answer.write([Buffer.from('data: 1\n\n'), Buffer.from('data: 2\n\n')])).toBe(true);
    answer.finish([Buffer.from('data: [DONE]\n\n')]);
    await until(() => client.text.endsWith('0\r\n\r\n'));
    expect(client.text.replace(/\r\n[0-9a-f]+\r\n/g, '')).toContain('data: 1\n\ndata: 2\n\ndata: [DONE]\n\n');
    expect(client.text.match(/0\r\n\r\n/g)).toHaveLength(1);
  });

  it('may be empty', async () => {
    const answer = answerOf();
    answer.begin(200, {}, 'json');
    answer.finish([]);
    await until(() => client.text.includes('content-length: 0\r\n'));
  });
});

describe('a failure', () => {
  it.each<[Dialect, string]>([
    ['openai-chat', '"code":"upstream_failed"'],
    ['anthropic-messages', '"request_id":"req-1"'],
    ['gemini-content', '"reason":"upstream_failed"'],
  ])('before the first byte is a whole answer in %s, and the connection lives', async (dialect, part) => {
    const answer = answerOf(dialect);
    answer.begin(200, SSE, 'sse');
    answer.fail(error);
    await until(() => client.text.includes(part));
    expect(client.text).toMatch(/^HTTP\/1\.1 502 /);
    await until(() => response.writableFinished);
    expect([gone, client.closed]).toEqual([0, false]);
  });

  it.each<[Dialect, 'sse' | 'json-array', string]>([
    ['openai-chat', 'sse', 'data: {"error":'],
    ['anthropic-messages', 'sse', 'event: error\ndata: {'],
    ['gemini-content', 'sse', 'data: {"error":'],
    ['gemini-content', 'json-array', ',\n{"error":'],
  ])('in the middle of a stream of %s (%s) is its error event, and then no clean end', async (dialect, framing, event) => {
    const answer = answerOf(dialect);
    answer.begin(200, SSE, framing);
    answer.write([Buffer.from('begun')]);
    answer.fail(error);
    await until(() => client.closed);
    expect(client.text).toContain('begun');
    expect(client.text).toContain(event);
    expect(client.text).not.toContain('\r\n0\r\n');
  });

  it('in the middle of a JSON body says nothing and cuts it', async () => {
    const answer = answerOf();
    answer.begin(200, { 'content-type': 'application/json' }, 'json');
    answer.write([Buffer.from('{"a":')]);
    answer.fail(error);
    await until(() => client.closed);
    expect(client.text).toContain('{"a":');
    expect(client.text).not.toContain('upstream_failed');
    expect(client.text).not.toContain('\r\n0\r\n');
  });

  it('reaches a client that is behind and sends something meanwhile, which resets a closed connection', async () => {
    const answer = answerOf();
    const socket = response.socket as Socket;
    client.socket.pause();
    answer.begin(200, SSE, 'sse');
    answer.write([Buffer.alloc(900_000, 'x')]);
    answer.fail(error);
    await until(() => socket.writableFinished || socket.destroyed);
    client.socket.write('\r\n');
    client.socket.resume();
    await until(() => client.closed);
    expect(client.text).toContain('The provider failed.');
    expect(client.text.endsWith('0\r\n\r\n')).toBe(false);
  });

  it('reaches a client that is behind, before the connection is cut', async () => {
    const answer = answerOf();
    client.socket.pause();
    answer.begin(200, SSE, 'sse');
    while (answer.write([Buffer.alloc(65_536, 'x')])) continue;
    answer.fail(error);
    client.socket.resume();
    let tail = '';
    client.socket.on('data', (chunk) => (tail = (tail + chunk.toString('latin1')).slice(-400)));
    await until(() => client.closed);
    expect(tail).toContain('"code":"upstream_failed"');
    expect(tail).not.toContain('\r\n0\r\n');
  });
});

describe('a reader', () => {
  it('that is behind is told to wait, and when to go on', async () => {
    const answer = answerOf('openai-chat', 60_000);
    client.socket.pause();
    answer.begin(200, SSE, 'sse');
    while (answer.write([Buffer.alloc(65_536, 'x')])) continue;
    expect(drained).toBe(0);
    client.socket.resume();
    await until(() => drained > 0);
    answer.finish([]);
    await until(() => response.writableFinished);
    expect(gone).toBe(0);
  });

  it('that takes nothing for the stall time counts as gone', async () => {
    const answer = answerOf();
    client.socket.pause();
    answer.begin(200, SSE, 'sse');
    answer.write([Buffer.alloc(32 * 1_048_576, 'x')]);
    await until(() => gone === 1, 5 * STALL_MS);
    expect([answer.gone, response.destroyed]).toEqual([true, true]);
    expect(answer.write([Buffer.from('more')])).toBe(true);
    answer.finish([]);
    answer.fail(error);
    expect(gone).toBe(1);
  });

  it('that takes nothing of the last bytes counts as gone too', async () => {
    const answer = answerOf();
    client.socket.pause();
    answer.begin(200, { 'content-type': 'application/json' }, 'json');
    answer.finish([Buffer.alloc(32 * 1_048_576, 'x')]);
    await until(() => gone > 0, 5 * STALL_MS);
    expect([gone, response.destroyed]).toEqual([1, true]);
  });

  it('that is slow but takes something is kept', async () => {
    const answer = answerOf();
    answer.begin(200, SSE, 'sse');
    client.socket.pause();
    const slow = setInterval(() => {
      client.socket.resume();
      setImmediate(() => client.socket.pause());
    }, STALL_MS / 8);
    try {
      const startedAtMs = performance.now();
      let room = answer.write([Buffer.alloc(65_536, 'x')]);
      await until(() => {
        if (room || drained > 0) room = answer.write([Buffer.alloc(65_536, 'x')]);
        drained = 0;
        return performance.now() - startedAtMs > 4 * STALL_MS;
      });
    } finally {
      clearInterval(slow);
    }
    expect([gone, response.destroyed]).toEqual([0, false]);
  });

  it('that is slow but takes something of one long last write is kept', async () => {
    const answer = answerOf();
    answer.begin(200, { 'content-type': 'application/json' }, 'json');
    client.socket.pause();
    // The kernels on both sides move a window at a time, so a reader that takes a little more than a window per turn is slow and alive.
    let leftOfTurn = 0;
    client.socket.on('data', (chunk: Buffer) => {
      leftOfTurn -= chunk.length;
      if (leftOfTurn <= 0) client.socket.pause();
    });
    client.socket.pause();
    const slow = setInterval(() => {
      leftOfTurn = 8 * 1_048_576;
      client.socket.resume();
    }, STALL_MS / 4);
    try {
      answer.finish([Buffer.alloc(192 * 1_048_576, 'x')]);
      const startedAtMs = performance.now();
      await until(() => performance.now() - startedAtMs > 4 * STALL_MS);
    } finally {
      clearInterval(slow);
    }
    expect([gone, response.destroyed]).toEqual([0, false]);
  });

  it('that leaves is gone, once', async () => {
    const answer = answerOf();
    answer.begin(200, SSE, 'sse');
    answer.write([Buffer.from('data: 1\n\n')]);
    await until(() => client.bytes > 0);
    client.socket.destroy();
    await until(() => gone === 1);
    answer.fail(error);
    answer.finish([]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(gone).toBe(1);
  });

  it('that left before the answer was made is gone at once', async () => {
    client.socket.destroy();
    await until(() => response.destroyed);
    answerOf();
    expect(gone).toBe(1);
  });
});

describe('a refusal', () => {
  it('names when to come back and what is allowed', async () => {
    writeRefusal(response, { dialect: 'openai-chat', error: new GatewayError('method_not_allowed', 'No.', { retryAfterSeconds: 3, allow: 'GET' }), requestId: 'req-2' });
    await until(() => client.text.includes('"code":"method_not_allowed"'));
    expect(client.text).toMatch(/^HTTP\/1\.1 405 /);
    for (const line of ['retry-after: 3', 'allow: GET', 'x-request-id: req-2', 'content-type: application/json']) expect(client.text).toContain(`${line}\r\n`);
  });

  it('is not written into an answer that has begun', async () => {
    response.writeHead(200, { 'content-length': '2' });
    response.flushHeaders();
    writeRefusal(response, { dialect: 'openai-chat', error, requestId: 'req-3' });
    response.end('ok');
    await until(() => client.text.endsWith('\r\n\r\nok'));
  });
});

import { createServer as createHttpServer } from 'node:http';
import type { IncomingMessage, RequestListener } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { UndiciUpstreamClient } from './undici-upstream-client.js';
import type { UpstreamExchange, UpstreamFailure, UpstreamHandler, UpstreamRequest } from './upstream-client.js';

const MIB = 1_048_576;

/** Writes down every call and refuses those that are out of order. */
class Recorder implements UpstreamHandler {
  readonly calls: string[] = [];
  status = 0;
  headers: Record<string, string | string[] | undefined> = {};
  bytes = Buffer.alloc(0);
  received = 0;
  failure: { failure: UpstreamFailure; sent: boolean } | undefined;
  keep = true;
  afterEnd = 0;
  onBytes = (): void => undefined;

  onHead(status: number, headers: Record<string, string | string[] | undefined>): void {
    this.note('head');
    this.status = status;
    this.headers = headers;
  }

  onData(bytes: Buffer): void {
    this.note('data');
    this.received += bytes.length;
    if (this.keep) this.bytes = Buffer.concat([this.bytes, bytes]);
    this.onBytes();
  }

  onEnd(): void {
    this.note('end');
  }

  onError(failure: UpstreamFailure, sent: boolean): void {
    this.note('error');
    this.failure = { failure, sent };
  }

  get done(): boolean {
    return this.calls.includes('end') || this.calls.includes('error');
  }

  private note(call: string): void {
    if (this.done) this.afterEnd++;
    if (this.calls.at(-1) !== call || call !== 'data') this.calls.push(call);
  }
}

let client: UndiciUpstreamClient;
let recorder: Recorder;
let servers: Server[];
let sockets: Set<Socket>;

beforeEach(() => {
  client = new UndiciUpstreamClient({ connectionsPerOrigin: 8, connectTimeoutMs: 2_000 });
  recorder = new Recorder();
  servers = [];
  sockets = new Set();
});

afterEach(async () => {
  await client.close();
  for (const socket of sockets) socket.destroy();
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
});

async function listening(server: Server): Promise<string> {
  servers.push(server);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function http(listener: RequestListener): Promise<string> {
  return listening(createHttpServer(listener) as unknown as Server);
}

/** Answers each connection's first bytes with that text, and then does what is left. */
function raw(answer: string, then: (socket: Socket) => void = () => undefined): Promise<string> {
  return listening(
    createServer((socket) => {
      socket.once('data', () => socket.write(answer, () => then(socket)));
    }),
  );
}

function send(origin: string, change: Partial<UpstreamRequest> = {}): UpstreamExchange {
  const body = change.body ?? [Buffer.from('{}')];
  const bodyBytes = body.reduce((sum, slice) => sum + slice.length, 0);
  const request: UpstreamRequest = {
    origin,
    path: '/v1/x?y=1',
    headers: ['content-type', 'application/json', 'content-length', String(bodyBytes), 'x-Mixed', 'a', 'x-mixed', 'b'],
    bodyBytes,
    headTimeoutMs: 5_000,
    idleTimeoutMs: 5_000,
    ...change,
    body,
  };
  return client.send(request, recorder);
}

async function until(condition: () => boolean, what = 'what was waited for'): Promise<void> {
  const startedAtMs = performance.now();
  while (!condition()) {
    if (performance.now() - startedAtMs > 8_000) throw new Error(`${what} did not come to pass within 8 s: ${recorder.calls.join(' ')}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const ended = () => until(() => recorder.done, 'the end');

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

describe('a request', () => {
  it.each<[string, Buffer[]]>([
    ['one slice', [Buffer.from('{"a":"ü"}')]],
    ['many small slices', [Buffer.from('{"a":'), Buffer.from('1'), Buffer.from('}')]],
    ['many slices of more than 64 KiB', Array.from({ length: 40 }, (_, index) => Buffer.alloc(10_000, index))],
    ['one slice of 3 MiB', [Buffer.alloc(3 * MIB, 7)]],
    ['two slices of 2 MiB', [Buffer.alloc(2 * MIB, 1), Buffer.alloc(2 * MIB, 2)]],
    ['an empty slice among others', [Buffer.alloc(70_000, 1), Buffer.alloc(0), Buffer.alloc(5, 2)]],
  ])('arrives whole and with its length, in %s', async (_title, body) => {
    let seen: { method?: string | undefined; url?: string | undefined; headers: IncomingMessage['headers']; body: Buffer } | undefined;
    const origin = await http((request, response) => {
      void readBody(request).then((bytes) => {
        seen = { method: request.method, url: request.url, headers: request.headers, body: bytes };
        response.end('{"ok":1}');
      });
    });
    send(origin, { body });
    await ended();
    const whole = Buffer.concat(body);
    expect(recorder.calls).toEqual(['head', 'data', 'end']);
    expect(seen).toMatchObject({ method: 'POST', url: '/v1/x?y=1' });
    expect(seen?.headers).toMatchObject({ 'content-length': String(whole.length), 'content-type': 'application/json', 'x-mixed': 'a, b' });
    expect(seen?.headers['transfer-encoding']).toBeUndefined();
    expect(seen?.body.equals(whole)).toBe(true);
  });

  it('that no server takes is a failed connection, and nothing was sent', async () => {
    const origin = await http(() => undefined);
    await new Promise((resolve) => servers.pop()?.close(resolve));
    send(origin);
    await ended();
    expect(recorder.calls).toEqual(['error']);
    expect(recorder.failure).toEqual({ failure: 'connect', sent: false });
  });

  it('to a name that does not exist is a failed connection', async () => {
    send('http://nowhere.invalid');
    await ended();
    expect(recorder.failure).toEqual({ failure: 'connect', sent: false });
  });

  it('with a header that cannot be sent fails without a throw', async () => {
    const origin = await http((_request, response) => response.end());
    send(origin, { headers: ['x-bad', 'line\nbreak'] });
    await ended();
    expect(recorder.calls).toEqual(['error']);
    expect(recorder.failure?.sent).toBe(false);
  });

  it('after the client was closed fails without a throw', async () => {
    const origin = await http((_request, response) => response.end());
    send(origin);
    await ended();
    await client.close();
    recorder = new Recorder();
    send(origin);
    await ended();
    expect(recorder.done).toBe(true);
  });
});

describe('an answer', () => {
  it('comes byte for byte, whatever the chunks', async () => {
    const sent = Array.from({ length: 50 }, (_, index) => Buffer.from(`data: {"n":${index},"t":"äöü"}\n\n`));
    const origin = await http((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'x-request-id': 'r1', 'set-cookie': ['a=1', 'b=2'] });
      for (const event of sent) response.write(event);
      response.end();
    });
    send(origin);
    await ended();
    expect(recorder.calls).toEqual(['head', 'data', 'end']);
    expect(recorder.status).toBe(200);
    expect(recorder.headers).toMatchObject({ 'content-type': 'text/event-stream', 'x-request-id': 'r1', 'set-cookie': ['a=1', 'b=2'] });
    expect(recorder.bytes.equals(Buffer.concat(sent))).toBe(true);
  });

  it.each([204, 400, 401, 429, 500, 503])('of status %d is an answer, not an error', async (status) => {
    const origin = await http((_request, response) => response.writeHead(status, { 'retry-after': '7' }).end());
    send(origin);
    await ended();
    expect(recorder.calls).toEqual(['head', 'end']);
    expect([recorder.status, recorder.headers['retry-after']]).toEqual([status, '7']);
  });

  it('that redirects is not followed', async () => {
    let requests = 0;
    const origin = await http((_request, response) => {
      requests++;
      response.writeHead(307, { location: '/elsewhere' }).end();
    });
    send(origin);
    await ended();
    expect([recorder.status, recorder.headers['location'], requests]).toEqual([307, '/elsewhere', 1]);
  });

  it('begins behind informational heads', async () => {
    const origin = await raw('HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
    send(origin);
    await ended();
    expect(recorder.calls).toEqual(['head', 'data', 'end']);
    expect([recorder.status, recorder.bytes.toString()]).toEqual([200, 'ok']);
  });

  it.each<[string, string]>([
    ['with less than its length', 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this'],
    ['in chunks, within a chunk', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n20\r\nonly this'],
    ['in chunks, before the last one', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nonly this\r\n'],
  ])('that breaks off %s is broken, never ended', async (_title, answer) => {
    const origin = await raw(answer, (socket) => socket.end());
    send(origin);
    await ended();
    expect(recorder.calls).toEqual(['head', 'data', 'error']);
    expect(recorder.failure).toEqual({ failure: 'broken', sent: true });
    expect(recorder.bytes.toString()).toBe('only this');
  });

  it.each<[string, string, (socket: Socket) => void]>([
    ['a connection that closes before the head', '', (socket) => socket.end()],
    ['a connection that is reset before the head', '', (socket) => socket.resetAndDestroy()],
    ['half a head', 'HTTP/1.1 200 OK\r\ncontent-', (socket) => socket.end()],
    ['what is not HTTP', 'hello there\r\n\r\n', () => undefined],
  ])('is broken by %s', async (_title, answer, then) => {
    const origin = await listening(createServer((socket) => socket.once('data', () => (answer === '' ? then(socket) : socket.write(answer, () => then(socket))))));
    send(origin);
    await ended();
    expect(recorder.calls).toEqual(['error']);
    expect(recorder.failure).toEqual({ failure: 'broken', sent: true });
  });

  it('whose head does not come in time times out', async () => {
    let closed = false;
    const origin = await http((request) => request.socket.on('close', () => (closed = true)));
    send(origin, { headTimeoutMs: 300 });
    await ended();
    expect(recorder.calls).toEqual(['error']);
    expect(recorder.failure).toEqual({ failure: 'timeout', sent: true });
    await until(() => closed, 'the closed connection');
  });

  it('that falls silent times out', async () => {
    const origin = await http((_request, response) => {
      response.write('one');
    });
    send(origin, { idleTimeoutMs: 300 });
    await ended();
    expect(recorder.calls).toEqual(['head', 'data', 'error']);
    expect(recorder.failure).toEqual({ failure: 'timeout', sent: true });
  });

  it('that falls silent after it was paused for long times out then, not before', async () => {
    let second = (): void => undefined;
    const origin = await http((_request, response) => {
      response.write('one');
      second = () => response.write('two');
    });
    const exchange = send(origin, { idleTimeoutMs: 300 });
    await until(() => recorder.received > 0);
    exchange.pause();
    second();
    const pausedAtMs = performance.now();
    await until(() => performance.now() - pausedAtMs > 2_500);
    expect(recorder.calls).toEqual(['head', 'data']);
    exchange.resume();
    await ended();
    expect(recorder.failure).toEqual({ failure: 'timeout', sent: true });
  });
});

describe('back-pressure', () => {
  /** Writes without end; counts what the kernel took. */
  async function endless(): Promise<{ origin: string; taken: () => number }> {
    let taken = 0;
    const chunk = Buffer.alloc(16_384, 'x');
    const origin = await http((_request, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write(chunk, () => (taken += chunk.length))) continue;
      };
      response.on('drain', more);
      more();
    });
    return { origin, taken: () => taken };
  }

  it('stops the reading, and lets it go on', async () => {
    const { origin } = await endless();
    recorder.keep = false;
    const exchange = send(origin);
    await until(() => recorder.received > MIB);
    exchange.pause();
    const atPause = recorder.received;
    await quiet(() => recorder.received);
    expect(recorder.received - atPause).toBeLessThanOrEqual(262_144);
    exchange.resume();
    await until(() => recorder.received > atPause + 4 * MIB);
    exchange.abort();
    await ended();
  });

  it('in the middle of a read bounds what still arrives', async () => {
    const { origin } = await endless();
    recorder.keep = false;
    let exchange: UpstreamExchange | undefined = undefined as UpstreamExchange | undefined;
    recorder.onBytes = () => exchange?.pause();
    exchange = send(origin);
    await until(() => recorder.received > 0);
    await quiet(() => recorder.received);
    expect(recorder.received).toBeLessThanOrEqual(262_144);
    exchange.abort();
    await ended();
  });

  it('that was asked for before the answer began holds it back', async () => {
    const origin = await http((_request, response) => response.end('late'));
    const exchange = send(origin);
    exchange.pause();
    const askedAtMs = performance.now();
    await until(() => performance.now() - askedAtMs > 200);
    expect(recorder.calls).not.toContain('data');
    exchange.resume();
    await ended();
    expect(recorder.bytes.toString()).toBe('late');
  });

  /** Until a number has not moved for 300 ms. */
  async function quiet(value: () => number): Promise<void> {
    let last = value();
    let sinceMs = performance.now();
    await until(() => {
      if (value() !== last) {
        last = value();
        sinceMs = performance.now();
      }
      return performance.now() - sinceMs > 300;
    }, 'quiet');
  }
});

describe('abort', () => {
  it('closes the connection in the middle of an answer', async () => {
    let closed = false;
    const origin = await http((_request, response) => {
      response.write('one');
      response.on('close', () => (closed = true));
    });
    const exchange = send(origin);
    await until(() => recorder.received > 0);
    exchange.abort();
    exchange.abort();
    await ended();
    expect(recorder.calls).toEqual(['head', 'data', 'error']);
    expect(recorder.failure).toEqual({ failure: 'aborted', sent: true });
    await until(() => closed, 'the closed connection');
  });

  it('cancels a request that waits for its head', async () => {
    let arrived = false;
    let closed = false;
    const origin = await http((_request, response) => {
      arrived = true;
      response.on('close', () => (closed = true));
    });
    const exchange = send(origin);
    await until(() => arrived, 'the request');
    exchange.abort();
    await ended();
    expect(recorder.failure).toEqual({ failure: 'aborted', sent: true });
    await until(() => closed, 'the closed connection');
  });

  it('in the turn of the sending reaches no provider', async () => {
    let requests = 0;
    const origin = await http((_request, response) => {
      requests++;
      response.end();
    });
    send(origin).abort();
    await ended();
    expect(recorder.calls).toEqual(['error']);
    expect(recorder.failure?.failure).toBe('aborted');
    expect(requests).toBe(0);
  });

  it('out of a call of the handler ends the calls', async () => {
    const origin = await http((_request, response) => {
      for (let event = 0; event < 100; event++) response.write(`data: ${event}\n\n`);
    });
    let exchange: UpstreamExchange | undefined = undefined as UpstreamExchange | undefined;
    recorder.onBytes = () => exchange?.abort();
    exchange = send(origin);
    await ended();
    expect(recorder.failure?.failure).toBe('aborted');
    expect(recorder.afterEnd).toBe(0);
  });

  it('after the end does nothing', async () => {
    const origin = await http((_request, response) => response.end('ok'));
    const exchange = send(origin);
    await ended();
    exchange.abort();
    exchange.pause();
    exchange.resume();
    expect(recorder.calls).toEqual(['head', 'data', 'end']);
  });
});

describe('connections', () => {
  it('serve one request after the other', async () => {
    let connections = 0;
    const origin = await http((_request, response) => response.end('ok'));
    servers[0]?.on('connection', () => connections++);
    for (let request = 0; request < 5; request++) {
      recorder = new Recorder();
      send(origin);
      await ended();
      expect(recorder.calls).toEqual(['head', 'data', 'end']);
    }
    expect(connections).toBe(1);
  });

  it('that the server closes while they idle cost no request', async () => {
    const origin = await http((_request, response) => response.end('ok'));
    for (let request = 0; request < 5; request++) {
      recorder = new Recorder();
      send(origin);
      await ended();
      expect(recorder.calls).toEqual(['head', 'data', 'end']);
      for (const socket of sockets) socket.end();
      await until(() => sockets.size === 0, 'the closed connections');
    }
  });

  it('run side by side up to their number, the rest in turn', async () => {
    let open = 0;
    let most = 0;
    const origin = await http((_request, response) => {
      most = Math.max(most, ++open);
      setImmediate(() => {
        open--;
        response.end('ok');
      });
    });
    const recorders = Array.from({ length: 40 }, () => {
      recorder = new Recorder();
      send(origin);
      return recorder;
    });
    await until(() => recorders.every(({ done }) => done));
    expect(recorders.every(({ calls }) => calls.join(' ') === 'head data end')).toBe(true);
    expect(most).toBeLessThanOrEqual(8);
  });

  it('are destroyed when the client is closed, which fails what runs', async () => {
    const origin = await http((_request, response) => {
      response.write('one');
    });
    send(origin);
    await until(() => recorder.received > 0);
    await client.close();
    await ended();
    expect(recorder.calls).toEqual(['head', 'data', 'error']);
    await until(() => sockets.size === 0, 'the closed connections');
  });
});

import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Loopback, Recorder, readBody } from './fixtures/loopback.js';

const MIB = 1_048_576;
let bench: Loopback;
beforeEach(() => {
  bench = new Loopback();
});
afterEach(() => bench.close());

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
    const origin = await bench.http((request, response) => {
      void readBody(request).then((bytes) => {
        seen = { method: request.method, url: request.url, headers: request.headers, body: bytes };
        response.end('{"ok":1}');
      });
    });
    bench.send(origin, { body });
    await bench.ended();
    const whole = Buffer.concat(body);
    expect(bench.recorder.calls).toEqual(['head', 'data', 'end']);
    expect(seen).toMatchObject({ method: 'POST', url: '/v1/x?y=1' });
    expect(seen?.headers).toMatchObject({ 'content-length': String(whole.length), 'content-type': 'application/json', 'x-mixed': 'a, b' });
    expect(seen?.headers['transfer-encoding']).toBeUndefined();
    expect(seen?.body.equals(whole)).toBe(true);
  });

  it('that no server takes is a failed connection, and nothing was sent', async () => {
    const origin = await bench.http(() => undefined);
    await new Promise((resolve) => bench.servers.pop()?.close(resolve));
    bench.send(origin);
    await bench.ended();
    expect(bench.recorder.calls).toEqual(['error']);
    expect(bench.recorder.failure).toEqual({ failure: 'connect', sent: false });
  });

  it('to a name that does not exist is a failed connection', async () => {
    bench.send('http://nowhere.invalid');
    await bench.ended();
    expect(bench.recorder.failure).toEqual({ failure: 'connect', sent: false });
  });

  it('with a header that cannot be sent fails without a throw', async () => {
    const origin = await bench.http((_request, response) => response.end());
    bench.send(origin, { headers: ['x-bad', 'line\nbreak'] });
    await bench.ended();
    expect(bench.recorder.calls).toEqual(['error']);
    expect(bench.recorder.failure?.sent).toBe(false);
  });

  it('after the bench.client was closed fails without a throw', async () => {
    const origin = await bench.http((_request, response) => response.end());
    bench.send(origin);
    await bench.ended();
    await bench.client.close();
    bench.recorder = new Recorder();
    bench.send(origin);
    await bench.ended();
    expect(bench.recorder.done).toBe(true);
  });
});

describe('an answer', () => {
  it('comes byte for byte, whatever the chunks', async () => {
    const sent = Array.from({ length: 50 }, (_, index) => Buffer.from(`data: {"n":${index},"t":"äöü"}\n\n`));
    const origin = await bench.http((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'x-request-id': 'r1', 'set-cookie': ['a=1', 'b=2'] });
      for (const event of sent) response.write(event);
      response.end();
    });
    bench.send(origin);
    await bench.ended();
    expect(bench.recorder.calls).toEqual(['head', 'data', 'end']);
    expect(bench.recorder.status).toBe(200);
    expect(bench.recorder.headers).toMatchObject({ 'content-type': 'text/event-stream', 'x-request-id': 'r1', 'set-cookie': ['a=1', 'b=2'] });
    expect(bench.recorder.bytes.equals(Buffer.concat(sent))).toBe(true);
  });

  it.each([204, 400, 401, 429, 500, 503])('of status %d is an answer, not an error', async (status) => {
    const origin = await bench.http((_request, response) => response.writeHead(status, { 'retry-after': '7' }).end());
    bench.send(origin);
    await bench.ended();
    expect(bench.recorder.calls).toEqual(['head', 'end']);
    expect([bench.recorder.status, bench.recorder.headers['retry-after']]).toEqual([status, '7']);
  });

  it('that redirects is not followed', async () => {
    let requests = 0;
    const origin = await bench.http((_request, response) => {
      requests++;
      response.writeHead(307, { location: '/elsewhere' }).end();
    });
    bench.send(origin);
    await bench.ended();
    expect([bench.recorder.status, bench.recorder.headers['location'], requests]).toEqual([307, '/elsewhere', 1]);
  });

  it('begins behind informational heads', async () => {
    const origin = await bench.raw('HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
    bench.send(origin);
    await bench.ended();
    expect(bench.recorder.calls).toEqual(['head', 'data', 'end']);
    expect([bench.recorder.status, bench.recorder.bytes.toString()]).toEqual([200, 'ok']);
  });

  it.each<[string, (response: ServerResponse) => void, Record<string, string>]>([
    ['with them', (response) => (response.writeHead(200, { trailer: 'x-end' }).write('one'), response.addTrailers({ 'X-End': 'whole' }), response.end()), { 'x-end': 'whole' }],
    ['without', (response) => response.end('one'), {}],
  ])('gives its trailers to the end: %s', async (_title, answer, trailers) => {
    const origin = await bench.http((_request, response) => answer(response));
    bench.send(origin);
    await bench.ended();
    expect([bench.recorder.calls, bench.recorder.bytes.toString(), bench.recorder.trailers]).toEqual([['head', 'data', 'end'], 'one', trailers]);
  });

  it.each<[string, string]>([
    ['with less than its length', 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this'],
    ['in chunks, within a chunk', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n20\r\nonly this'],
    ['in chunks, before the last one', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nonly this\r\n'],
  ])('that breaks off %s is broken, never ended', async (_title, answer) => {
    const origin = await bench.raw(answer, (socket) => socket.end());
    bench.send(origin);
    await bench.ended();
    expect(bench.recorder.calls).toEqual(['head', 'data', 'error']);
    expect(bench.recorder.failure).toEqual({ failure: 'broken', sent: true });
    expect(bench.recorder.bytes.toString()).toBe('only this');
  });

  it.each<[string, string, (socket: Socket) => void]>([
    ['a connection that closes before the head', '', (socket) => socket.end()],
    ['a connection that is reset before the head', '', (socket) => socket.resetAndDestroy()],
    ['half a head', 'HTTP/1.1 200 OK\r\ncontent-', (socket) => socket.end()],
    ['what is not HTTP', 'hello there\r\n\r\n', () => undefined],
  ])('is broken by %s', async (_title, answer, then) => {
    const origin = await bench.listening(createServer((socket) => socket.once('data', () => (answer === '' ? then(socket) : socket.write(answer, () => then(socket))))));
    bench.send(origin);
    await bench.ended();
    expect(bench.recorder.calls).toEqual(['error']);
    expect(bench.recorder.failure).toEqual({ failure: 'broken', sent: true });
  });

  it('whose head does not come in time times out', async () => {
    let closed = false;
    const origin = await bench.http((request) => request.socket.on('close', () => (closed = true)));
    bench.send(origin, { headTimeoutMs: 300 });
    await bench.ended();
    expect(bench.recorder.calls).toEqual(['error']);
    expect(bench.recorder.failure).toEqual({ failure: 'timeout', sent: true });
    await bench.until(() => closed, 'the closed connection');
  });

  it.each([
    [true, ['head', 'end']],
    [false, ['error']],
  ])('whose head is late may be held by informational heads, if they count (%s)', async (interimHeadsCount, calls) => {
    const origin = await bench.http((_request, response) => {
      let signs = 0;
      const timer = setInterval(() => (++signs < 15 ? response.writeProcessing() : response.end()), 100);
      response.on('close', () => clearInterval(timer));
    });
    bench.send(origin, { headTimeoutMs: 300, interimHeadsCount });
    await bench.ended();
    expect(bench.recorder.calls).toEqual(calls);
  });

  it('that falls silent times out', async () => {
    const origin = await bench.http((_request, response) => {
      response.write('one');
    });
    bench.send(origin, { idleTimeoutMs: 300 });
    await bench.ended();
    expect(bench.recorder.calls).toEqual(['head', 'data', 'error']);
    expect(bench.recorder.failure).toEqual({ failure: 'timeout', sent: true });
  });

  it('that falls silent after it was paused for long times out then, not before', async () => {
    let second = (): void => undefined;
    const origin = await bench.http((_request, response) => {
      response.write('one');
      second = () => response.write('two');
    });
    const exchange = bench.send(origin, { idleTimeoutMs: 300 });
    await bench.until(() => bench.recorder.received > 0);
    exchange.pause();
    second();
    const pausedAtMs = performance.now();
    await bench.until(() => performance.now() - pausedAtMs > 2_500);
    expect(bench.recorder.calls).toEqual(['head', 'data']);
    exchange.resume();
    await bench.ended();
    expect(bench.recorder.failure).toEqual({ failure: 'timeout', sent: true });
  });
});

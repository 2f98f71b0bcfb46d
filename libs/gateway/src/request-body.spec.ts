import { createServer, request as httpRequest } from 'node:http';
import type { ClientRequest, IncomingMessage, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { GatewayError } from '@tokone/protocol';
import { BodyBudget, ClientLeftError } from './request-body.js';

const KIB = 1_024;
let budget: BodyBudget;
let server: Server;
let arrived: { request: IncomingMessage; read: Promise<Buffer | Error> }[];
let clients: ClientRequest[];

beforeEach(async () => {
  budget = new BodyBudget({ bodyBytes: 256 * KIB, bufferedBodyBytes: 512 * KIB, bodyTimeoutMs: 60_000 });
  arrived = [];
  clients = [];
  server = createServer((request, response) => {
    const read = budget.read(request).catch((error: Error) => error);
    arrived.push({ request, read });
    void read.then(() => {
      response.writeHead(200, { connection: 'close' }).end();
      request.resume();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  for (const client of clients) client.destroy();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function send(headers: Record<string, string> = {}): ClientRequest {
  const client = httpRequest({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', method: 'POST', headers });
  client.on('error', () => undefined).on('response', (response) => response.resume());
  clients.push(client);
  return client;
}

async function until(condition: () => boolean): Promise<void> {
  const startedAtMs = performance.now();
  while (!condition()) {
    if (performance.now() - startedAtMs > 3_000) throw new Error('it did not come to pass within 3 s');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** What became of the latest request to arrive. */
async function outcome(): Promise<Buffer | Error> {
  await until(() => arrived.length > 0);
  return (arrived.at(-1) as (typeof arrived)[number]).read;
}

/** Every byte was given back: a body of the whole budget is taken. */
async function expectWholeBudget(): Promise<void> {
  const held: number[] = [];
  for (const bytes of [256 * KIB, 256 * KIB]) {
    const before = arrived.length;
    send().end(Buffer.alloc(bytes));
    await until(() => arrived.length > before);
    const body = await outcome();
    expect(body).toBeInstanceOf(Buffer);
    held.push((body as Buffer).length);
  }
  const before = arrived.length;
  send().end('x');
  await until(() => arrived.length > before);
  expect(await outcome()).toMatchObject({ code: 'not_ready', retryAfterSeconds: 1 });
  for (const bytes of held) budget.release(bytes);
}

describe('a body', () => {
  it.each<[string, Buffer[]]>([
    ['at once', [Buffer.from('{"a":"ü"}')]],
    ['in many pieces', Array.from({ length: 100 }, (_, index) => Buffer.alloc(1_000, index))],
    ['empty', []],
    ['of exactly the limit', [Buffer.alloc(256 * KIB, 7)]],
  ])('that comes %s is read whole', async (_title, pieces) => {
    const client = send();
    for (const piece of pieces) client.write(piece);
    client.end();
    expect(Buffer.compare((await outcome()) as Buffer, Buffer.concat(pieces))).toBe(0);
  });

  it('larger than the limit is refused as soon as that is seen, and its bytes are given back', async () => {
    const client = send();
    client.write(Buffer.alloc(256 * KIB + 1));
    const error = await outcome();
    expect(error).toBeInstanceOf(GatewayError);
    expect(error).toMatchObject({ code: 'body_too_large', message: expect.stringContaining('262144 bytes') });
    client.destroy();
    await until(() => arrived[0]?.request.socket.destroyed === true);
    await expectWholeBudget();
  });

  it('whose client leaves in the middle is nobody\'s, and its bytes are given back once', async () => {
    for (let time = 1; time <= 5; time++) {
      const client = send({ 'content-length': String(200 * KIB) });
      client.write(Buffer.alloc(100 * KIB));
      await until(() => arrived.length === time);
      client.destroy();
      expect(await outcome()).toBeInstanceOf(ClientLeftError);
      await until(() => arrived[time - 1]?.request.destroyed === true);
    }
    await new Promise((resolve) => setImmediate(resolve));
    await expectWholeBudget();
  });

  it('that does not arrive in time is refused', async () => {
    budget = new BodyBudget({ bodyBytes: 100, bufferedBodyBytes: 100, bodyTimeoutMs: 50 });
    const client = send({ 'content-length': '50' });
    client.write('half');
    expect(await outcome()).toMatchObject({ code: 'request_timeout' });
  });

  it('beyond what all may take together is refused, and taken once there is room', async () => {
    await expectWholeBudget();
    await expectWholeBudget();
  });
});

describe('the head of a request', () => {
  it.each<[string, Record<string, string>, string | undefined]>([
    ['without any of it', {}, undefined],
    ['plain JSON', { 'content-type': 'application/json' }, undefined],
    ['JSON with a charset', { 'content-type': 'Application/JSON; charset=utf-8' }, undefined],
    ['a kind of JSON', { 'content-type': 'application/vnd.api+json' }, undefined],
    ['an identity encoding', { 'content-encoding': 'Identity' }, undefined],
    ['the largest length', { 'content-length': String(256 * KIB) }, undefined],
    ['a compressed body', { 'content-encoding': 'gzip' }, 'unsupported_body'],
    ['a doubly encoded body', { 'content-encoding': 'identity, br' }, 'unsupported_body'],
    ['an empty encoding', { 'content-encoding': '' }, 'unsupported_body'],
    ['a form', { 'content-type': 'multipart/form-data; boundary=x' }, 'unsupported_body'],
    ['text', { 'content-type': 'text/plain' }, 'unsupported_body'],
    ['what only begins like JSON', { 'content-type': 'application/jsonx' }, 'unsupported_body'],
    ['one byte too many', { 'content-length': String(256 * KIB + 1) }, 'body_too_large'],
  ])('with %s is judged before the body is read', (_title, headers, code) => {
    const check = () => budget.check({ headers } as unknown as IncomingMessage);
    if (code === undefined) expect(check).not.toThrow();
    else expect(check).toThrow(expect.objectContaining({ code }));
  });
});

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server, ServerResponse } from 'node:http';
import { type AddressInfo, type Socket, connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BrokenConnections } from './broken-connections.js';

const HEAD_MS = 300;
const BODY_MS = 600;
const DEADLINE_MS = 10_000;

let server: Server;
let served: string[];
let answer: (response: ServerResponse) => void;
const clients: Client[] = [];

class Client {
  readonly socket: Socket;
  heard = '';
  closed = false;

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    this.socket.on('data', (bytes: Buffer) => (this.heard += bytes.toString('latin1'))).on('error', () => undefined);
    for (const event of ['end', 'close']) this.socket.on(event, () => (this.closed = true));
    clients.push(this);
  }

  async until(condition: () => boolean): Promise<void> {
    const deadline = AbortSignal.timeout(DEADLINE_MS);
    while (!condition()) await delay(5, undefined, { signal: deadline });
  }

  get statuses(): string[] {
    return this.heard.match(/HTTP\/1\.1 \d+/g) ?? [];
  }
}

beforeEach(async () => {
  served = [];
  answer = (response) => response.end('ok');
  const broken = new BrokenConnections(BODY_MS, ({ code }) => `HTTP/1.1 ${code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400} No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
  server = createServer({ headersTimeout: HEAD_MS, requestTimeout: BODY_MS, connectionsCheckingInterval: 20 }, (request, response) => {
    if (!broken.isOpen(response)) return void request.resume();
    request.on('error', () => undefined).resume().on('end', () => {
      served.push(request.url ?? '');
      answer(response);
    });
  });
  broken.watch(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  for (const { socket } of clients.splice(0)) socket.destroy();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

async function open(text: string): Promise<Client> {
  const client = new Client((server.address() as AddressInfo).port);
  await once(client.socket, 'connect');
  client.socket.write(text);
  return client;
}

/** Resolves right after Node has given a connection up. */
const givenUp = () => once(server, 'clientError');

describe('a connection whose request does not come in time', () => {
  it('is refused, and what comes of it later is not served', async () => {
    const client = await open('GET /late HTTP/1.1\r\nhost: a\r\n');
    await client.until(() => client.heard.includes('408'));
    client.socket.end('\r\nGET /next HTTP/1.1\r\nhost: a\r\n\r\n');
    await once(client.socket, 'close');
    expect([served, client.statuses]).toEqual([[], ['HTTP/1.1 408']]);
  });

  it('is served when its head is read a moment later', async () => {
    const client = await open('GET /late HTTP/1.1\r\nhost: a\r\n');
    await givenUp();
    client.socket.write('\r\n');
    await client.until(() => client.heard.includes('200'));
    expect(served).toEqual(['/late']);
  });

  it('has a deadline for the body of such a head', async () => {
    const client = await open('POST /late HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n');
    await givenUp();
    client.socket.write('\r\n{"a');
    await client.until(() => client.closed);
    expect([served, client.statuses]).toEqual([[], ['HTTP/1.1 408']]);
  });

  it('is refused although bytes trickle in', async () => {
    const client = await open('GET /slow HTTP/1.1\r\nx-a: ');
    const trickle = setInterval(() => client.socket.write('a'), 20);
    await client.until(() => client.closed).finally(() => clearInterval(trickle));
    expect(client.statuses).toEqual(['HTTP/1.1 408']);
  });

  it('is closed without a word when nothing ever came', async () => {
    const client = await open('');
    await client.until(() => client.closed);
    expect(client.heard).toBe('');
  });
});

describe('a connection with something else than HTTP', () => {
  it('is told so once, whatever follows', async () => {
    const client = await open('\0\r\n\r\n');
    await client.until(() => client.heard.includes('400'));
    client.socket.end('\0\r\n\r\n'.repeat(100));
    await once(client.socket, 'close');
    expect(client.statuses).toEqual(['HTTP/1.1 400']);
  });

  it('hears nothing in the middle of an answer', async () => {
    answer = (response) => void response.write('begun');
    const client = await open('GET /running HTTP/1.1\r\nhost: a\r\n\r\n');
    await client.until(() => client.heard.includes('begun'));
    client.socket.write('\0\r\n\r\n');
    await client.until(() => client.closed);
    expect(client.statuses).toEqual(['HTTP/1.1 200']);
  });
});

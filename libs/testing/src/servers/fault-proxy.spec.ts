import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net';
import { waitFor } from '../wait-for.js';
import { FaultProxy } from './fault-proxy.js';

const DEADLINE_MS = 5_000;
const SILENT_MS = 100;
const MEGABYTE = 1024 * 1024;

/** An echo that notes what reached it. */
let server: Server;
let arrived: string;
let proxy: FaultProxy;
let clients: Client[];

class Client {
  readonly socket: Socket;
  received = '';
  failure: string | undefined;
  closed = false;

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('data', (bytes: Buffer) => (this.received += bytes.toString('latin1')));
    this.socket.on('error', (error: NodeJS.ErrnoException) => (this.failure = error.code));
    this.socket.on('close', () => (this.closed = true));
    clients.push(this);
  }

  async hears(text: string): Promise<void> {
    await waitFor(() => this.received === text, { what: `"${text}" after "${this.received}"`, deadlineMs: DEADLINE_MS, intervalMs: 5 });
  }

  async isReset(): Promise<void> {
    await waitFor(() => this.closed, { what: 'the end of the connection', deadlineMs: DEADLINE_MS, intervalMs: 5 });
    expect(this.failure).toBe('ECONNRESET');
  }
}

beforeEach(async () => {
  arrived = '';
  clients = [];
  server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes: Buffer) => {
      arrived += bytes.toString('latin1');
      socket.write(bytes);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  proxy = await FaultProxy.start({ target: { port: (server.address() as AddressInfo).port } });
});

afterEach(async () => {
  for (const { socket } of clients) socket.destroy();
  await proxy.stop();
  await new Promise((resolve) => server.close(resolve));
});

async function silence(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, SILENT_MS));
}

describe('a fault proxy', () => {
  it('carries bytes both ways and passes on an orderly end', async () => {
    const client = new Client(proxy.port);
    client.socket.write('hello');
    await client.hears('hello');
    expect(proxy.connections).toBe(1);
    client.socket.end();
    await waitFor(() => client.closed && proxy.connections === 0, { what: 'the end', deadlineMs: DEADLINE_MS });
    expect(client.failure).toBeUndefined();
  });

  it('carries more than fits into any buffer, in order', async () => {
    const client = new Client(proxy.port);
    const text = Array.from({ length: MEGABYTE }, (_, index) => String.fromCharCode(97 + (index % 26))).join('');
    client.socket.write(text + text);
    await waitFor(() => client.received.length === 2 * MEGABYTE, { what: 'two megabytes', deadlineMs: DEADLINE_MS });
    expect(client.received === text + text).toBe(true);
  });

  it('holds back one direction while it is paused, and loses nothing', async () => {
    const client = new Client(proxy.port);
    proxy.pause('down');
    client.socket.write('one');
    await waitFor(() => arrived === 'one', { what: 'the request', deadlineMs: DEADLINE_MS });
    await silence();
    expect(client.received).toBe('');
    proxy.resume('down');
    await client.hears('one');
    proxy.pause('up');
    client.socket.write('two');
    await silence();
    expect(arrived).toBe('one');
    proxy.heal();
    await client.hears('onetwo');
  });

  it('delays', async () => {
    const client = new Client(proxy.port);
    proxy.delay(SILENT_MS, 'up');
    const startedMs = performance.now();
    client.socket.write('late');
    await client.hears('late');
    expect(performance.now() - startedMs).toBeGreaterThan(SILENT_MS - 5);
  });

  it.each([['up', 3], ['down', 3]] as const)('cuts a connection after so many bytes %s, once', async (direction, bytes) => {
    proxy.cutAfter(bytes, direction);
    const client = new Client(proxy.port);
    client.socket.write('abcdef');
    await client.isReset();
    expect(direction === 'up' ? arrived : client.received).toBe('abc');
    const next = new Client(proxy.port);
    next.socket.write('abcdef');
    await next.hears('abcdef');
  });

  it('lets a request arrive and loses its answer', async () => {
    const client = new Client(proxy.port);
    client.socket.write('read;');
    await client.hears('read;');
    proxy.dropAnswers({ to: (request) => request.toString().startsWith('write'), times: 1, afterMs: 10 });
    client.socket.write('read;');
    await client.hears('read;read;');
    client.socket.write('write;');
    await client.isReset();
    expect(arrived).toBe('read;read;write;');
    expect(client.received).toBe('read;read;');
    const next = new Client(proxy.port);
    next.socket.write('write;');
    await next.hears('write;');
  });

  it('loses all answers until it is healed', async () => {
    proxy.dropAnswers({ afterMs: 1 });
    for (const text of ['one', 'two']) {
      const client = new Client(proxy.port);
      client.socket.write(text);
      await client.isReset();
      expect(client.received).toBe('');
    }
    expect(arrived).toBe('onetwo');
    proxy.heal();
    const client = new Client(proxy.port);
    client.socket.write('three');
    await client.hears('three');
  });

  it('refuses new connections and keeps those that are open', async () => {
    const open = new Client(proxy.port);
    open.socket.write('one');
    await open.hears('one');
    proxy.refuse();
    await new Client(proxy.port).isReset();
    open.socket.write('two');
    await open.hears('onetwo');
  });

  it('resets what is open', async () => {
    const client = new Client(proxy.port);
    client.socket.write('one');
    await client.hears('one');
    proxy.resetAll();
    await client.isReset();
    await waitFor(() => proxy.connections === 0, { what: 'no connection', deadlineMs: DEADLINE_MS });
  });

  it('resets a client whose server is not there, and reaches one that comes later', async () => {
    const there = proxy.target;
    proxy.target = { host: '127.0.0.1', port: 1 };
    await new Client(proxy.port).isReset();
    proxy.target = there;
    const client = new Client(proxy.port);
    client.socket.write('one');
    await client.hears('one');
  });
});

// deploy/nginx.conf in a real nginx, before two small servers that stand for gateways.
import { readFileSync } from 'node:fs';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { PortClaim, makeTemporaryFolder, startNginx, waitFor, type OwnedServer, type TemporaryFolder } from '@tokone/testing';
import { placeNginxConfig } from './image/nginx-config.js';
import { workspaceRoot } from './workspace.mjs';

const text = readFileSync(join(workspaceRoot, 'deploy/nginx.conf'), 'utf8');

/** Takes notes of what comes, and answers as it is told. */
class Gateway {
  readonly seen: { method: string; url: string; headers: IncomingMessage['headers']; bytes: number }[] = [];
  answer: (request: IncomingMessage, response: ServerResponse) => void = (_request, response) => void response.end('ok');
  private constructor(
    readonly server: Server,
    readonly address: string,
  ) {}

  static async listen(): Promise<Gateway> {
    const server = createServer((incoming, response) => gateway.take(incoming, response));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const gateway = new Gateway(server, `127.0.0.1:${(server.address() as AddressInfo).port}`);
    return gateway;
  }

  private take(incoming: IncomingMessage, response: ServerResponse): void {
    const note = { method: incoming.method ?? '', url: incoming.url ?? '', headers: incoming.headers, bytes: 0 };
    this.seen.push(note);
    incoming.on('data', (bytes: Buffer) => (note.bytes += bytes.length)).on('end', () => this.answer(incoming, response));
  }

  /** As one that is gone: nobody listens on its port, and its connections break. */
  async kill(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

let folder: TemporaryFolder;
let ports: PortClaim;
let gateways: [Gateway, Gateway];
let nginx: OwnedServer | undefined;
let port: number;

beforeEach(async () => {
  folder = await makeTemporaryFolder('nginx');
  ports = new PortClaim();
  gateways = [await Gateway.listen(), await Gateway.listen()];
  port = await ports.choose();
  nginx = await startNginx({ folder: folder.path, port, config: placeNginxConfig(text, { folder: folder.path, port, gateways: gateways.map(({ address }) => address) }) });
});

afterEach(async () => {
  await nginx?.stop();
  await Promise.all(gateways.map((gateway) => gateway.kill()));
  await ports.release();
  await folder.remove();
});

const post = (path: string, body: string | Buffer, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers }, signal: AbortSignal.timeout(30_000) });

/** How often each path came to any gateway. */
function arrivals(): number[] {
  const count = new Map<string, number>();
  for (const { url } of gateways.flatMap(({ seen }) => seen)) count.set(url, (count.get(url) ?? 0) + 1);
  return [...count.values()];
}

describe('nginx before two gateways', () => {
  it('gives each its share, with the address of the caller and its headers as they are', async () => {
    const requests = Array.from({ length: 10 }, (_, index) => post(`/v1/messages?n=${index}`, '{}', { x_odd_name: 'kept', 'x-api-key': 'sk-1', 'x-forwarded-for': '203.0.113.9' }));
    for (const answer of await Promise.all(requests)) expect([answer.status, await answer.text()]).toEqual([200, 'ok']);
    for (const { seen } of gateways) expect(seen.length).toBeGreaterThan(2);
    const [first] = gateways[0].seen;
    expect(first?.headers).toMatchObject({ host: `127.0.0.1:${port}`, 'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'http', 'x-api-key': 'sk-1', x_odd_name: 'kept' });
  });

  it('passes each part of an answer when it comes', async () => {
    let goOn: () => void = () => undefined;
    for (const gateway of gateways) {
      gateway.answer = (_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream', 'x-accel-buffering': 'yes' });
        response.write('data: one\n\n');
        goOn = () => void response.end('data: two\n\n');
      };
    }
    const answer = await post('/v1/messages', '{}');
    const reader = (answer.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader();
    expect(await reader.read()).toEqual({ done: false, value: 'data: one\n\n' });
    goOn();
    expect(await reader.read()).toEqual({ done: false, value: 'data: two\n\n' });
    expect((await reader.read()).done).toBe(true);
  });

  it('lets a gateway feel that nobody reads, and takes no answer in for later', async () => {
    let isWhole = false;
    for (const gateway of gateways) gateway.answer = (_request, response) => void response.on('finish', () => (isWhole = true)).end(Buffer.alloc(100_000_000));
    const call = request({ port, method: 'POST', path: '/v1/messages' });
    call.end('{}');
    const [answer] = (await once(call, 'response')) as [IncomingMessage];
    await expect(waitFor(() => isWhole, { what: 'the whole answer in nginx', deadlineMs: 1_500 })).rejects.toThrow();
    answer.resume();
    await waitFor(() => isWhole, { what: 'the whole answer on its way', deadlineMs: 10_000 });
  });

  it('passes a body while it is still on its way, however large it is', async () => {
    const call = request({ port, method: 'POST', path: '/v1/messages', headers: { 'content-length': 30_000_000 } });
    call.write(Buffer.alloc(10_000_000));
    await waitFor(() => gateways.some(({ seen }) => (seen[0]?.bytes ?? 0) > 9_000_000), { what: 'the first part at a gateway', deadlineMs: 10_000 });
    call.end(Buffer.alloc(20_000_000));
    const [answer] = (await once(call, 'response')) as [IncomingMessage];
    answer.resume();
    expect(answer.statusCode).toBe(200);
    expect(gateways.flatMap(({ seen }) => seen).map(({ bytes }) => bytes)).toEqual([30_000_000]);
  });

  it('asks the other one where one is gone, and nobody notices', async () => {
    await gateways[0].kill();
    for (let index = 0; index < 20; index++) expect((await post(`/v1/messages/${index}`, '{}')).status).toBe(200);
    expect(arrivals()).toEqual(new Array(20).fill(1));
  });

  it('never sends a request again that a gateway may have seen', async () => {
    gateways[0].answer = (incoming) => void incoming.socket.destroy();
    const answers = [];
    for (let index = 0; index < 20; index++) answers.push(await post(`/v1/messages/${index}`, JSON.stringify({ index })));
    expect(arrivals()).toEqual(new Array(20).fill(1));
    const statuses = answers.map(({ status }) => status);
    expect([statuses.filter((status) => status === 200).length, statuses.filter((status) => status === 503).length]).toEqual([gateways[1].seen.length, gateways[0].seen.length]);
    expect(gateways[0].seen.length).toBeGreaterThan(5);
    expect(answers.find(({ status }) => status === 503)?.headers.get('retry-after')).toBe('2');
  });

  it('does so with none of which a part has gone out, either', async () => {
    gateways[0].answer = () => undefined;
    const broken = new Promise<void>((resolve) => {
      gateways[0].server.prependListener('request', (incoming: IncomingMessage) => incoming.once('data', () => resolve(incoming.socket.destroy() && undefined)));
    });
    // Round robin: of two one comes to the first gateway.
    const calls = ['/one', '/two'].map((path) => {
      const call = request({ port, method: 'POST', path, headers: { 'content-length': 2_000_000 } });
      call.on('error', () => undefined).write(Buffer.alloc(1_000_000));
      return { call, answered: once(call, 'response').catch(() => undefined) };
    });
    await broken;
    for (const { call } of calls) call.end(Buffer.alloc(1_000_000));
    await Promise.all(calls.map(({ answered }) => answered));
    expect(arrivals()).toEqual([1, 1]);
  });

  it('breaks an answer off where its gateway does, so that it does not look whole', async () => {
    for (const gateway of gateways) {
      gateway.answer = (incoming, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write('data: one\n\n', () => incoming.socket.destroy());
      };
    }
    const answer = await post('/v1/messages', '{}');
    expect(answer.status).toBe(200);
    await expect(answer.text()).rejects.toThrow();
  });

  it("passes a gateway's own refusal as it is, and asks nobody else", async () => {
    for (const gateway of gateways) gateway.answer = (_request, response) => void response.writeHead(503, { 'retry-after': '7' }).end('{"own":true}');
    const answer = await post('/v1/messages', '{}');
    expect([answer.status, answer.headers.get('retry-after'), await answer.text()]).toEqual([503, '7', '{"own":true}']);
    expect(arrivals()).toEqual([1]);
  });

  it('says itself that there is none, in JSON, and when to come again', async () => {
    await Promise.all(gateways.map((gateway) => gateway.kill()));
    const answer = await post('/v1/messages', '{}');
    expect([answer.status, answer.headers.get('retry-after'), await answer.json()]).toEqual([503, '2', { error: expect.objectContaining({ code: 'gateway_unavailable' }) }]);
  });

  it('logs no query', async () => {
    await post('/v1/messages?key=sk-secret', '{}');
    const log = await waitFor(() => readFileSync(join(folder.path, 'access.log'), 'utf8') || undefined, { what: 'a line of the log', deadlineMs: 10_000 });
    expect([log.includes('/v1/messages 200'), log.includes('sk-secret')]).toEqual([true, false]);
  });
});

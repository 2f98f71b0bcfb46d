import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { InternalCallError, InternalClient } from './internal-client.js';

const opened: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

async function serve(listener: RequestListener): Promise<string> {
  const server: Server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  opened.push(() => new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  }));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function closedPort(): Promise<string> {
  const url = await serve(() => undefined);
  await opened.pop()?.();
  return url;
}

function clientOf(...baseUrls: string[]): InternalClient {
  return clientAt(() => performance.now(), ...baseUrls);
}

function clientAt(now: () => number, ...baseUrls: string[]): InternalClient {
  const client = new InternalClient({ baseUrls, secret: 'secret-of-the-services', now });
  opened.push(() => client.close());
  return client;
}

const call = { method: 'POST' as const, path: '/internal/a', body: { one: 1 }, deadlineMs: 2_000, read: (json: unknown) => json };
const failureOf = (promise: Promise<unknown>) => promise.then(() => undefined, (error: unknown) => error as InternalCallError);

describe('a call between services', () => {
  it('carries secret, deadline, trace and body, and returns what was read', async () => {
    let seen: unknown;
    const url = await serve((request, response) => {
      let text = '';
      request.on('data', (chunk: Buffer) => (text += chunk.toString()));
      request.on('end', () => {
        const { authorization, traceparent } = request.headers;
        seen = { authorization, traceparent, deadline: request.headers['x-tokone-deadline-ms'], text, url: request.url };
        response.end('{"answer":42}');
      });
    });
    expect(await clientAt(() => 0, url).call({ ...call, traceparent: '00-a-b-00', read: (json) => (json as { answer: number }).answer })).toBe(42);
    expect(seen).toEqual({ authorization: 'Bearer secret-of-the-services', traceparent: '00-a-b-00', deadline: '2000', text: '{"one":1}', url: '/internal/a' });
  });

  it('goes to the next replica when one cannot be reached or does not serve', async () => {
    const draining = await serve((_request, response) => response.writeHead(503).end('{}'));
    const good = await serve((_request, response) => response.end('"good"'));
    const client = clientOf(await closedPort(), draining, good);
    for (let count = 0; count < 6; count++) expect(await client.call(call)).toBe('good');
  });

  it('asks a single replica once more when its connection breaks', async () => {
    let asked = 0;
    const url = await serve((request, response) => (++asked === 1 ? request.socket.destroy() : response.end('"good"')));
    expect(await clientOf(url).call(call)).toBe('good');
    expect(asked).toBe(2);
  });

  it('takes turns', async () => {
    const urls = await Promise.all([0, 1].map((name) => serve((_request, response) => response.end(String(name)))));
    const client = clientOf(...urls);
    expect([await client.call(call), await client.call(call), await client.call(call)]).toEqual([0, 1, 0]);
  });

  it('fails as unreachable when no replica is there', async () => {
    expect(await failureOf(clientOf(await closedPort(), await closedPort()).call(call))).toMatchObject({ failure: 'unreachable' });
  });

  it('ends at its deadline when the service is silent, even in the middle of its answer', async () => {
    const silent = await serve(() => undefined);
    const half = await serve((_request, response) => void response.writeHead(200).write('{'));
    for (const url of [silent, half]) expect(await failureOf(clientOf(url).call({ ...call, deadlineMs: 200 }))).toMatchObject({ failure: 'timeout' });
  });

  it('goes to another replica when one is silent for its share of the deadline, and asks that one last for a while', async () => {
    let asked = 0;
    const frozen = await serve(() => void asked++);
    const good = await serve((_request, response) => response.end('"good"'));
    const client = clientOf(frozen, good);
    for (let count = 0; count < 6; count++) expect(await client.call({ ...call, deadlineMs: 600 })).toBe('good');
    expect(asked).toBe(1);
  });

  it('takes the answer of a replica that was only slow, when the other one does not answer sooner', async () => {
    const asked: string[] = [];
    const slow = await serve((_request, response) => {
      asked.push('slow');
      setTimeout(() => response.end('"slow"'), 400);
    });
    const frozen = await serve(() => void asked.push('frozen'));
    expect(await clientOf(slow, frozen).call({ ...call, deadlineMs: 600 })).toBe('slow');
    expect(asked).toEqual(['slow', 'frozen']);
  });

  it('tells each replica how much of the deadline is left, and ends as timeout when all are silent', async () => {
    const told: number[] = [];
    let nowMs = 0;
    const frozen = () => serve((request) => {
      told.push(Number(request.headers['x-tokone-deadline-ms']));
      nowMs += 200;
    });
    expect(await failureOf(clientAt(() => nowMs, await frozen(), await frozen()).call({ ...call, deadlineMs: 400 }))).toMatchObject({ failure: 'timeout' });
    expect(told).toEqual([400, 200]);
  });

  it('hands on what the service refused, without asking another one', async () => {
    let asked = 0;
    const refusing = () => serve((_request, response) => {
      asked++;
      response.writeHead(409).end('{"error":{"code":"other_gateway","message":"Another one runs."}}');
    });
    const failure = await failureOf(clientOf(await refusing(), await refusing()).call(call));
    expect(failure).toMatchObject({ failure: 'refused', status: 409, code: 'other_gateway', message: 'Another one runs.' });
    expect(asked).toBe(1);
  });

  it.each(['not json', '{"other":1}'])('calls %j unreadable', async (text) => {
    const url = await serve((_request, response) => response.end(text));
    const read = (json: unknown) => {
      if ((json as { one?: number }).one === undefined) throw new Error('no one');
    };
    expect(await failureOf(clientOf(url).call({ ...call, read }))).toMatchObject({ failure: 'unreadable' });
  });
});

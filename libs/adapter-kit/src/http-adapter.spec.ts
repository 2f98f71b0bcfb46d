import { createServer } from 'node:http';
import type { IncomingHttpHeaders, RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { traceparentOf } from '@tokone/protocol';
import type { Adapter, AnswerHead } from './adapter.js';
import { WIRE_HEADER, writeAnswerHead, writeFailure } from './dispatch-wire.js';
import { AnswerRecorder } from './fixtures/answer-recorder.js';
import { DispatchBench, good, stream } from './fixtures/dispatch-bench.js';
import { HttpLoop, SECRET } from './fixtures/http-loop.js';
import { HttpAdapter } from './http-adapter.js';
import type { HttpAdapterOptions } from './http-adapter.js';

const ANSWER: AnswerHead = { status: 200, headers: {}, dialect: 'openai-chat', upstreamId: 'u', upstreamRequestId: undefined, attempts: 1 };
const ANSWER_HEADERS = { [WIRE_HEADER.answer]: writeAnswerHead(ANSWER), trailer: `${WIRE_HEADER.end}, ${WIRE_HEADER.failure}` };

let loop: HttpLoop;
let bench: DispatchBench;
let driver: Adapter;
let strangers: Server[];
beforeEach(() => {
  loop = new HttpLoop();
  strangers = [];
  bench = new DispatchBench(() => driver);
});
afterEach(async () => {
  await loop.close();
  await bench.close();
  await Promise.all(strangers.map((server) => (server.closeAllConnections(), new Promise((resolve) => server.close(resolve)))));
});

/** A server that is no adapter, or an odd one. */
async function stranger(answer: RequestListener): Promise<string> {
  const server = createServer((request, response) => void request.on('end', () => answer(request, response)).resume());
  strangers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function absent(): Promise<string> {
  const url = await stranger(() => undefined);
  await new Promise((resolve) => strangers.pop()?.close(resolve));
  return url;
}

async function ask(urls: readonly string[], change: Partial<HttpAdapterOptions> = {}): Promise<void> {
  driver = loop.adapterTo(urls, change);
  bench.recorder = new AnswerRecorder();
  bench.send([], { head: stream });
  await bench.ended();
}

/** Two adapter services before one provider. */
async function twoReplicas() {
  const { upstream, seen } = await bench.servers.add('a', good);
  const local = bench.adapterOf([upstream]);
  return { seen, one: await loop.open(local), two: await loop.open(local) };
}

describe('a dispatch over HTTP', () => {
  it('carries secret, trace and deadline', async () => {
    let headers: IncomingHttpHeaders = {};
    const url = await stranger((request, response) => {
      headers = request.headers;
      response.writeHead(200, { [WIRE_HEADER.failure]: writeFailure({ code: 'no_upstream', sent: false, upstreamId: undefined, cause: undefined }) }).end();
    });
    await ask([url], { silenceTimeoutMs: 7_000 });
    expect(headers).toMatchObject({ authorization: `Bearer ${SECRET}`, traceparent: traceparentOf('r'), 'x-tokone-deadline-ms': '7000' });
    expect(bench.recorder.failure).toEqual({ code: 'no_upstream', sent: false, upstreamId: undefined, cause: undefined });
  });

  it.each([
    ['waits', 100, ['head', 'data', 'end']],
    ['is silent', 60_000, ['failure']],
  ])('tells an adapter that %s from one that is frozen', async (_title, signOfLifeMs, calls) => {
    let answer = (): void => undefined;
    const { upstream } = await bench.servers.add('a', (response, request) => (answer = () => good(response, request)));
    const { url, dispatches } = await loop.open(bench.adapterOf([upstream]), { signOfLifeMs });
    driver = loop.adapterTo([url], { silenceTimeoutMs: 300 });
    bench.send([]);
    await bench.until(() => dispatches.length === 1);
    const sentAtMs = performance.now();
    await bench.until(() => bench.recorder.done || performance.now() - sentAtMs > 1_500);
    answer();
    await bench.ended();
    expect(bench.recorder.calls).toEqual(calls);
    expect(bench.recorder.failure?.code).toBe(calls.length === 1 ? 'upstream_timeout' : undefined);
  });

  it('needs an address', () => {
    expect(() => new HttpAdapter({ baseUrls: [], secret: SECRET, client: loop.client, now: () => 0, idleTimeoutMs: 1 })).toThrow('address');
  });
});

describe('several replicas', () => {
  it('serve in turn', async () => {
    const { one, two, seen } = await twoReplicas();
    driver = loop.adapterTo([one.url, `${two.url}/`]);
    for (let request = 0; request < 4; request++) {
      bench.recorder = new AnswerRecorder();
      bench.send([]);
      await bench.ended();
      expect(bench.recorder.calls).toEqual(['head', 'data', 'end']);
    }
    expect([one.dispatches.length, two.dispatches.length, seen.length]).toEqual([2, 2, 4]);
  });

  it('cover for one that cannot be reached, and for one that stops, and nothing is sent twice', async () => {
    const { one, two, seen } = await twoReplicas();
    await one.front.drain(1_000);
    const gone = await absent();
    for (const urls of [[one.url, two.url], [gone, two.url], [gone, one.url, two.url]]) {
      await ask(urls);
      expect(bench.recorder.calls).toEqual(['head', 'data', 'end']);
    }
    expect([one.dispatches.length, two.dispatches.length, seen.length]).toEqual([0, 3, 3]);
  });

  it('are each tried once: without one that serves nothing was sent', async () => {
    const { one, two, seen } = await twoReplicas();
    await one.front.drain(1_000);
    await ask([await absent(), one.url]);
    expect(bench.recorder.calls).toEqual(['failure']);
    expect(bench.recorder.failure).toMatchObject({ code: 'not_ready', sent: false, upstreamId: undefined });
    expect(String(bench.recorder.failure?.cause)).toContain('not_serving');
    await ask([two.url], { secret: 'another' });
    expect(bench.recorder.failure).toMatchObject({ code: 'not_ready', sent: false });
    expect(String(bench.recorder.failure?.cause)).toContain('wrong_secret');
    expect(seen).toHaveLength(0);
  });

  it('do not wait for a paused refusal, whose connection serves again, and hold the answer back', async () => {
    const { two, seen } = await twoReplicas();
    let connections = 0;
    let refusals = 0;
    const refusing = await stranger((_request, response) => {
      refusals++;
      response.writeHead(503, { [WIRE_HEADER.refusal]: 'not_serving' }).end('not now');
    });
    strangers[0]?.on('connection', () => connections++);
    for (let request = 1; request <= 3; request++) {
      // A new one each time, so that nothing rests.
      driver = loop.adapterTo([refusing, two.url]);
      bench.recorder = new AnswerRecorder();
      const running = bench.send([]);
      running.pause();
      const sentAtMs = performance.now();
      await bench.until(() => seen.length === request && performance.now() - sentAtMs > 150);
      expect(bench.recorder.bytes).toBe(0);
      running.resume();
      await bench.ended();
      expect(bench.recorder.text).toBe('{"ok":true}');
    }
    expect([refusals, connections]).toEqual([3, 1]);
  });

  it('that stop under load cost no request', async () => {
    const { one, two, seen } = await twoReplicas();
    driver = loop.adapterTo([one.url, two.url]);
    const recorders: AnswerRecorder[] = [];
    let stopped = false;
    let sentAfterStop = 0;
    const client = async (): Promise<void> => {
      while (sentAfterStop < 200) {
        const recorder = new AnswerRecorder();
        recorders.push(recorder);
        bench.recorder = recorder;
        bench.send([]);
        await bench.until(() => recorder.done);
        if (stopped) sentAfterStop++;
      }
    };
    const clients = Promise.all(Array.from({ length: 20 }, client));
    await bench.until(() => one.dispatches.length > 100);
    await one.front.drain(10_000);
    await new Promise((resolve) => one.server.close(resolve));
    stopped = true;
    await clients;
    expect(recorders.filter(({ calls }) => calls.join(' ') !== 'head data end')).toEqual([]);
    expect([seen.length, two.dispatches.length > 100]).toEqual([recorders.length, true]);
  }, 40_000);
});

describe('an adapter that', () => {
  it.each<[string, RequestListener]>([
    ['cannot be read by anyone', (_request, response) => response.writeHead(400, { [WIRE_HEADER.refusal]: 'malformed_dispatch' }).end()],
    ['takes no body of this size', (_request, response) => response.writeHead(413, { [WIRE_HEADER.refusal]: 'body_too_large' }).end()],
  ])('%s is not left for another, and nothing was sent', async (_title, refuse) => {
    const { two } = await twoReplicas();
    await ask([await stranger(refuse), two.url]);
    expect(bench.recorder.calls).toEqual(['failure']);
    expect(bench.recorder.failure).toMatchObject({ code: 'internal_error', sent: false });
    expect(two.dispatches).toHaveLength(0);
  });

  it.each<[string, RequestListener, string[]]>([
    ['breaks before it says anything', (_request, response) => response.destroy(), ['failure']],
    ["answers like a stranger's proxy", (_request, response) => response.writeHead(502).end('bad gateway'), ['failure']],
    ['answers nothing', (_request, response) => response.end(), ['failure']],
    ['answers what cannot be read', (_request, response) => response.writeHead(200, { [WIRE_HEADER.answer]: '!' }).end('text'), ['failure']],
    ['fails in a way that cannot be read', (_request, response) => response.writeHead(200, { [WIRE_HEADER.failure]: '!' }).end(), ['failure']],
    ['breaks in the middle', (_request, response) => void response.writeHead(200, ANSWER_HEADERS).write('text', () => response.destroy()), ['head', 'data', 'failure']],
    ['says nothing of its end', (_request, response) => response.writeHead(200, ANSWER_HEADERS).end('text'), ['head', 'data', 'failure']],
    ['closes its connection instead of ending', (_request, response) => response.writeHead(200, { ...ANSWER_HEADERS, connection: 'close' }).write('text', () => response.socket?.end()), ['head', 'data', 'failure']],
    ['ends in a way that cannot be read', (_request, response) => (response.writeHead(200, ANSWER_HEADERS).write('text'), response.addTrailers({ [WIRE_HEADER.failure]: '!' }), response.end()), ['head', 'data', 'failure']],
  ])('%s may have sent the request: it is not sent again', async (_title, answer, calls) => {
    const { two } = await twoReplicas();
    await ask([await stranger(answer), two.url]);
    expect(bench.recorder.calls).toEqual(calls);
    expect(bench.recorder.failure).toMatchObject({ code: 'upstream_failed', sent: true, upstreamId: calls.length === 3 ? 'u' : undefined });
    expect(two.dispatches).toHaveLength(0);
  });

  it('fails behind its bytes says how', async () => {
    const url = await stranger((_request, response) => {
      response.writeHead(200, ANSWER_HEADERS).write('text');
      response.addTrailers({ [WIRE_HEADER.failure]: writeFailure({ code: 'upstream_timeout', sent: true, upstreamId: 'u', cause: 'silence' }) });
      response.end();
    });
    await ask([url]);
    expect([bench.recorder.calls, bench.recorder.text]).toEqual([['head', 'data', 'failure'], 'text']);
    expect(bench.recorder.failure).toEqual({ code: 'upstream_timeout', sent: true, upstreamId: 'u', cause: 'silence' });
  });
});

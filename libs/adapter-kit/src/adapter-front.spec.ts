import { once } from 'node:events';
import { request as sendRequest } from 'node:http';
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Adapter, AnswerHandler, DispatchHead } from './adapter.js';
import { DISPATCH_PATH, MAX_HEAD_BYTES, WIRE_HEADER, readAnswerHead, readFailure, writeDispatchHead } from './dispatch-wire.js';
import { DispatchBench, factsOf } from './fixtures/dispatch-bench.js';
import { collectGarbage } from './fixtures/garbage.js';
import { HttpLoop, SECRET } from './fixtures/http-loop.js';
import type { Replica } from './fixtures/http-loop.js';

const TEXT = '{"model":"m","messages":[]}';
const HEAD: DispatchHead = { requestId: 'r', groupId: 'g', dialect: 'openai-chat', model: 'm', streamed: true, framing: 'sse', headers: [], facts: factsOf('openai-chat', TEXT), outputLimit: undefined };
const DISPATCH = Buffer.concat([writeDispatchHead(HEAD), Buffer.from(TEXT)]);
const ANSWER = { status: 200, headers: {}, dialect: 'openai-chat' as const, upstreamId: 'u', upstreamRequestId: undefined, attempts: 1 };

/** Notes what it is told, and lets the test answer. */
class StillAdapter implements Adapter {
  readonly calls: string[] = [];
  handler: AnswerHandler | undefined;
  body: Buffer | undefined;
  sent = true;

  /** Ready for the next dispatch. */
  forget(): void {
    this.handler = undefined;
  }

  dispatch(_head: DispatchHead, body: Buffer, handler: AnswerHandler) {
    this.calls.push('dispatch');
    this.handler = handler;
    this.body = body;
    const abort = () => {
      this.calls.push('abort');
      handler.onFailure({ code: 'aborted', sent: this.sent, upstreamId: 'u', cause: undefined });
    };
    return { pause: () => void this.calls.push('pause'), resume: () => void this.calls.push('resume'), abort };
  }
}

interface Got {
  status: number;
  message: IncomingMessage;
  text: string;
}

let loop: HttpLoop;
let bench: DispatchBench;
let adapter: StillAdapter;
let replica: Replica;
beforeEach(async () => {
  loop = new HttpLoop();
  bench = new DispatchBench();
  adapter = new StillAdapter();
  replica = await loop.open(adapter, { bodyBytes: 1_000, bufferedBodyBytes: MAX_HEAD_BYTES + 10_000 });
});
afterEach(async () => {
  await loop.close();
  await bench.close();
});

function open(bytes: Buffer, headers: OutgoingHttpHeaders = {}, path = DISPATCH_PATH) {
  // In chunks there is no length in front.
  const length = 'transfer-encoding' in headers ? {} : { 'content-length': bytes.length };
  const request = sendRequest(`${replica.url}${path}`, { method: 'POST', agent: false, headers: { authorization: `Bearer ${SECRET}`, ...length, ...headers } });
  const got = new Promise<Got>((resolve, reject) => {
    request.on('error', reject).on('response', (message) => {
      const chunks: Buffer[] = [];
      message.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject);
      message.on('end', () => resolve({ status: message.statusCode ?? 0, message, text: Buffer.concat(chunks).toString() }));
    });
  });
  return { request, got };
}

function post(bytes: Buffer, headers: OutgoingHttpHeaders = {}, path = DISPATCH_PATH): Promise<Got> {
  const { request, got } = open(bytes, headers, path);
  request.end(bytes);
  return got;
}

/** Longer than the deadlines that Node would keep, one look at them included. */
const STANDSTILL_MS = 17_000;

const started = (): Promise<void> => bench.until(() => adapter.handler !== undefined);

describe('a request that is no dispatch', () => {
  it.each<[string, Buffer, OutgoingHttpHeaders, number, string]>([
    ['without the secret', DISPATCH, { authorization: '' }, 401, 'wrong_secret'],
    ['with another secret', DISPATCH, { authorization: `Bearer ${SECRET}x` }, 401, 'wrong_secret'],
    ['of nothing', Buffer.alloc(0), {}, 400, 'malformed_dispatch'],
    ['of garbage', Buffer.from('\0\0\0\x05hello'), {}, 400, 'malformed_dispatch'],
    ['with a head that is too long', Buffer.concat([Buffer.from([0, 16, 0, 1]), Buffer.alloc(MAX_HEAD_BYTES + 1, ' ')]), {}, 400, 'malformed_dispatch'],
    ['without a length', DISPATCH, { 'transfer-encoding': 'chunked' }, 400, 'malformed_dispatch'],
    ['that is too large', Buffer.alloc(MAX_HEAD_BYTES + 1_005), {}, 413, 'body_too_large'],
  ])('%s is refused, and said to have sent nothing', async (_title, bytes, headers, status, code) => {
    const { message, text, ...got } = await post(bytes, headers);
    expect([got.status, message.headers[WIRE_HEADER.refusal], JSON.parse(text)]).toEqual([status, code, { error: { code, message: expect.stringMatching(/\.$|\?$/) } }]);
    expect([adapter.calls, replica.logged]).toEqual([[], [expect.objectContaining({ refusal: code })]]);
    expect(JSON.stringify(replica.logged)).not.toContain(SECRET);
    await bench.until(() => replica.front.size === 0);
  });

  it.each([['another path', `${DISPATCH_PATH}/x`], ['a query', `${DISPATCH_PATH}?a=1`]])('but has %s falls through', async (_title, path) => {
    expect(await post(DISPATCH, {}, path)).toMatchObject({ status: 404 });
    expect(adapter.calls).toEqual([]);
  });
});

describe('a dispatch', () => {
  it('is answered with head, bytes and the word that it is whole', async () => {
    const got = post(DISPATCH);
    await started();
    expect([adapter.body?.toString(), replica.dispatches[0]]).toMatchObject([TEXT, { requestId: 'r' }]);
    adapter.handler?.onHead(ANSWER);
    adapter.handler?.onData(Buffer.from('one'));
    adapter.handler?.onData(Buffer.from('two'));
    adapter.handler?.onEnd();
    const { status, message, text } = await got;
    expect([status, text, message.trailers]).toEqual([200, 'onetwo', { [WIRE_HEADER.end]: 'whole' }]);
    expect(readAnswerHead(String(message.headers[WIRE_HEADER.answer]))).toEqual(ANSWER);
    await bench.until(() => replica.front.size === 0);
    expect(adapter.calls).toEqual(['dispatch']);
  });

  it('that fails says how: in the head, or behind its bytes', async () => {
    const failure = { code: 'upstream_timeout' as const, sent: true, upstreamId: 'u', cause: 'silence' };
    const first = post(DISPATCH);
    await started();
    adapter.handler?.onFailure(failure);
    const { status, text, message } = await first;
    expect([status, text, readFailure(String(message.headers[WIRE_HEADER.failure]))]).toEqual([200, '', failure]);
    adapter.forget();
    const second = post(DISPATCH);
    await started();
    adapter.handler?.onHead(ANSWER);
    adapter.handler?.onData(Buffer.from('one'));
    adapter.handler?.onFailure(failure);
    const behind = await second;
    expect([behind.text, behind.message.headers[WIRE_HEADER.failure], readFailure(String(behind.message.trailers[WIRE_HEADER.failure]))]).toEqual(['one', undefined, failure]);
  });

  it('is cancelled when the gateway leaves, and its late calls go nowhere', async () => {
    const { request, got } = open(DISPATCH);
    got.catch(() => undefined);
    request.end(DISPATCH);
    await started();
    adapter.handler?.onHead(ANSWER);
    request.destroy();
    await bench.until(() => adapter.calls.includes('abort'));
    adapter.handler?.onData(Buffer.from('late'));
    adapter.handler?.onEnd();
    await bench.until(() => replica.front.size === 0);
    expect(adapter.calls).toEqual(['dispatch', 'abort']);
  });

  it('whose gateway leaves before it is whole never begins', async () => {
    const { request, got } = open(DISPATCH);
    got.catch(() => undefined);
    request.write(DISPATCH.subarray(0, -1));
    await bench.until(() => replica.front.size === 1);
    request.destroy();
    await bench.until(() => replica.front.size === 0);
    expect(adapter.calls).toEqual([]);
  });

  it('stands still while its gateway reads nothing, and goes on', async () => {
    const { request, got } = open(DISPATCH);
    let message: IncomingMessage | undefined;
    request.on('response', (begun) => (message = begun).pause()).end(DISPATCH);
    await started();
    adapter.handler?.onHead(ANSWER);
    let bytes = 0;
    await bench.until(() => {
      message?.pause();
      if (adapter.calls.at(-1) === 'pause') return true;
      adapter.handler?.onData(Buffer.alloc(16_384));
      bytes += 16_384;
      return false;
    });
    expect(bytes).toBeLessThan(16_777_216);
    message?.resume();
    await bench.until(() => adapter.calls.at(-1) === 'resume');
    adapter.handler?.onEnd();
    expect((await got).text.length).toBe(bytes);
  });

  it('that makes the adapter throw has failed', async () => {
    adapter.dispatch = () => {
      throw new Error('a bug');
    };
    const { message } = await post(DISPATCH);
    expect(readFailure(String(message.headers[WIRE_HEADER.failure]))).toMatchObject({ code: 'internal_error', cause: 'Error: a bug' });
  });

  it('leaves no body in memory once its answer has begun', async () => {
    const large = `{"model":"m","messages":[{"role":"user","content":"${'x'.repeat(4_194_304)}"}]}`;
    const { upstream } = await bench.servers.add('a', (response) => void response.write('data: {"choices":[{}]}\n\n'));
    const local = bench.adapterOf([upstream]);
    let body: WeakRef<ArrayBufferLike> | undefined;
    const watched: Adapter = {
      dispatch(head, bytes, handler) {
        body = new WeakRef(bytes.buffer);
        return local.dispatch(head, bytes, handler);
      },
    };
    replica = await loop.open(watched);
    const bytes = Buffer.concat([writeDispatchHead({ ...HEAD, facts: factsOf('openai-chat', large) }), Buffer.from(large)]);
    const { request, got } = open(bytes);
    got.catch(() => undefined);
    request.end(bytes);
    await bench.until(() => body !== undefined);
    await bench.until(() => {
      collectGarbage();
      return body?.deref() === undefined;
    });
    request.destroy();
    // Each collection looks at all of a test process's memory.
  }, 30_000);
});

describe('bodies in memory', () => {
  it('are bounded: beyond that the replica is not serving, until one is let go of', async () => {
    replica = await loop.open(adapter, { bodyBytes: 1_000, bufferedBodyBytes: DISPATCH.length * 2 });
    const one = post(DISPATCH);
    await started();
    const two = open(DISPATCH);
    two.request.write(DISPATCH.subarray(0, 1));
    await bench.until(() => replica.front.size === 2);
    expect(await post(DISPATCH)).toMatchObject({ status: 503, message: { headers: { [WIRE_HEADER.refusal]: 'not_serving' } } });
    adapter.handler?.onHead(ANSWER);
    const { handler } = adapter;
    adapter.forget();
    const three = post(DISPATCH);
    await started();
    adapter.handler?.onFailure({ code: 'no_upstream', sent: false, upstreamId: undefined, cause: undefined });
    expect(await three).toMatchObject({ status: 200 });
    handler?.onEnd();
    two.request.destroy();
    await expect(two.got).rejects.toThrow();
    expect(await one).toMatchObject({ status: 200 });
  });
});

describe('a drain', () => {
  const refused = { status: 503, message: { headers: { [WIRE_HEADER.refusal]: 'not_serving', connection: 'close' } } };

  it('refuses what comes, and waits for what runs', async () => {
    const running = post(DISPATCH);
    await started();
    adapter.handler?.onHead(ANSWER);
    let drained = false;
    const drain = replica.front.drain(10_000).then(() => (drained = true));
    expect(await post(DISPATCH)).toMatchObject(refused);
    expect(drained).toBe(false);
    adapter.handler?.onEnd();
    expect(await running).toMatchObject({ status: 200, message: { trailers: { [WIRE_HEADER.end]: 'whole' } } });
    await drain;
    expect(adapter.calls).toEqual(['dispatch']);
  });

  it.each<[string, boolean, boolean, (got: Got) => unknown, unknown]>([
    ['whose answer has begun fails', true, true, ({ message }) => readFailure(String(message.trailers[WIRE_HEADER.failure])), { code: 'upstream_failed', sent: true, upstreamId: 'u', cause: 'the adapter had to stop' }],
    ['that was sent fails', false, true, ({ message }) => readFailure(String(message.headers[WIRE_HEADER.failure])), { code: 'upstream_failed', sent: true, upstreamId: 'u', cause: 'the adapter had to stop' }],
    ['that was not sent is refused', false, false, ({ message }) => message.headers[WIRE_HEADER.refusal], 'not_serving'],
  ])('cuts what is left after the grace: a dispatch %s', async (_title, begun, sent, told, expected) => {
    adapter.sent = sent;
    const running = post(DISPATCH);
    await started();
    if (begun) adapter.handler?.onHead(ANSWER);
    await replica.front.drain(50);
    expect(told(await running)).toEqual(expected);
    expect([adapter.calls, replica.front.size]).toEqual([['dispatch', 'abort'], 0]);
  });

  it('refuses a dispatch that becomes whole only after the grace', async () => {
    const { request, got } = open(DISPATCH);
    request.write(DISPATCH.subarray(0, 3));
    await bench.until(() => replica.front.size === 1);
    const drain = replica.front.drain(0);
    await new Promise((resolve) => setTimeout(resolve, 50));
    request.end(DISPATCH.subarray(3));
    expect(await got).toMatchObject(refused);
    await drain;
    expect(adapter.calls).toEqual([]);
  });

  it('ends although a gateway never finishes its request', async () => {
    const { request, got } = open(DISPATCH);
    request.write(DISPATCH.subarray(0, 3));
    await bench.until(() => replica.front.size === 1);
    await Promise.all([replica.front.drain(50), expect(got).rejects.toThrow()]);
    expect([adapter.calls, replica.front.size]).toEqual([[], 0]);
  });
});

describe('a connection', () => {
  /** A connection, both ends of it. */
  async function reach(): Promise<{ client: Socket; served: Socket; heard: () => string }> {
    const accepted = once(replica.server, 'connection') as Promise<[Socket]>;
    const { hostname, port } = new URL(replica.url);
    const client = connect(Number(port), hostname);
    let text = '';
    client.on('data', (bytes: Buffer) => (text += bytes.toString('latin1')));
    const [served] = await accepted;
    return { client, served, heard: () => text };
  }

  /** The same when a request has begun. */
  async function begin(): ReturnType<typeof reach> {
    const reached = await reach();
    reached.client.write('GET /nothing HTTP/1.1\r\n');
    await bench.until(() => reached.served.bytesRead > 0);
    return reached;
  }

  /** As Node does it after a standstill: before it reads. */
  const deadline = (served: Socket) => replica.server.emit('clientError', Object.assign(new Error('late'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' }), served);

  it('whose deadline is over while bytes of its request are there is served', async () => {
    const { client, served, heard } = await begin();
    client.write('host: a\r\n\r\n');
    deadline(served);
    await bench.until(() => heard().startsWith('HTTP/1.1 404'));
    client.destroy();
  });

  it('whose request does not come is closed', async () => {
    const { client, served } = await begin();
    deadline(served);
    await once(client, 'close');
  });

  it('is still there for a gateway that stood still: one that was never used, and one that was told to be closed long ago', async () => {
    const [unused, idle] = [await reach(), await reach()];
    const question = 'GET /nothing HTTP/1.1\r\nhost: a\r\n\r\n';
    idle.client.write(question);
    await bench.until(() => /keep-alive: timeout=8\r/i.test(idle.heard()));
    await new Promise((resolve) => setTimeout(resolve, STANDSTILL_MS));
    for (const { client } of [unused, idle]) client.write(question);
    await bench.until(() => unused.heard().startsWith('HTTP/1.1 404') && idle.heard().lastIndexOf('HTTP/1.1 404') > 0);
    for (const { client } of [unused, idle]) client.destroy();
  }, 2 * STANDSTILL_MS);

  it('with something else than HTTP is told so and closed', async () => {
    const { client, heard } = await begin();
    client.write('\0\r\n\r\n');
    await once(client, 'close');
    expect(heard()).toMatch(/^HTTP\/1\.1 400 /);
  });
});

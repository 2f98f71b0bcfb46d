import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Upstream, UpstreamDirectory } from '@tokone/account-client';
import { UndiciUpstreamClient } from '@tokone/http';
import type { UpstreamClient, UpstreamHandler } from '@tokone/http';
import { passBody } from '@tokone/protocol';
import type { BodyFacts, Dialect } from '@tokone/protocol';
import type { AdapterFailure, AnswerHandler, AnswerHead, DispatchHead, RunningDispatch } from './adapter.js';
import { ProviderServers } from './fixtures/provider-servers.js';
import type { Answering } from './fixtures/provider-servers.js';
import { ProviderAdapter } from './provider-adapter.js';
import type { Provider } from './provider.js';

const chat: Provider = {
  platform: 'openai',
  dialect: 'openai-chat',
  path: () => '/v1/chat/completions',
  authorize: (credential) => ['authorization', `Bearer ${credential}`],
  defaultHeaders: { 'anthropic-version': '2023-06-01' },
  outputLimitField: 'max_completion_tokens',
  removesStreamMember: false,
  asksForUsage: true,
  requestIdHeader: 'x-request-id',
};
const content: Provider = {
  ...chat,
  platform: 'gemini',
  dialect: 'gemini-content',
  path: (head, model) => `/v1beta/models/${model}:${head.framing}`,
  authorize: (credential) => ['x-goog-api-key', credential],
  defaultHeaders: {},
  outputLimitField: 'maxOutputTokens',
  removesStreamMember: true,
  asksForUsage: false,
};

class Recorder implements AnswerHandler {
  readonly calls: string[] = [];
  head: AnswerHead | undefined;
  failure: AdapterFailure | undefined;
  text = '';
  bytes = 0;
  onBytes = (): void => undefined;

  onHead(head: AnswerHead): void {
    this.calls.push('head');
    this.head = head;
  }

  onData(bytes: Buffer): void {
    if (this.calls.at(-1) !== 'data') this.calls.push('data');
    this.bytes += bytes.length;
    if (this.bytes < 1e6) this.text += bytes.toString('latin1');
    this.onBytes();
  }

  onEnd(): void {
    this.calls.push('end');
  }

  onFailure(failure: AdapterFailure): void {
    this.calls.push('failure');
    this.failure = failure;
  }

  get done(): boolean {
    return this.calls.includes('end') || this.calls.includes('failure');
  }
}

let servers: ProviderServers;
let client: UndiciUpstreamClient;
let recorder: Recorder;

beforeEach(() => {
  servers = new ProviderServers();
  client = new UndiciUpstreamClient({ connectionsPerOrigin: 8, connectTimeoutMs: 2_000 });
  recorder = new Recorder();
});

afterEach(async () => {
  await client.close();
  await servers.close();
});

interface Sending {
  provider?: Provider;
  text?: string;
  head?: Partial<DispatchHead>;
  directory?: UpstreamDirectory;
  client?: UpstreamClient;
}

function factsOf(dialect: Dialect, text: string): BodyFacts {
  const { facts, fault } = passBody(dialect, Buffer.from(text));
  if (fault) throw new Error(fault.message);
  return facts;
}

function adapterOf(upstreams: readonly Upstream[], sending: Sending = {}): ProviderAdapter {
  return new ProviderAdapter({
    provider: sending.provider ?? chat,
    upstreams: sending.directory ?? { upstreamsOf: async () => upstreams },
    client: sending.client ?? client,
    now: () => 0,
    answerTimeoutMs: 5_000,
    streamTimeoutMs: 5_000,
    idleTimeoutMs: 5_000,
  });
}

function send(upstreams: readonly Upstream[], sending: Sending = {}): RunningDispatch {
  const provider = sending.provider ?? chat;
  const text = sending.text ?? '{"model":"m","messages":[]}';
  const head: DispatchHead = {
    requestId: 'r',
    groupId: 'g',
    dialect: provider.dialect,
    model: 'm',
    streamed: false,
    framing: 'json',
    headers: [],
    facts: factsOf(provider.dialect, text),
    outputLimit: undefined,
    ...sending.head,
  };
  return adapterOf(upstreams, sending).dispatch(head, Buffer.from(text), recorder);
}

async function until(condition: () => boolean): Promise<void> {
  const startedAtMs = performance.now();
  while (!condition()) {
    if (performance.now() - startedAtMs > 8_000) throw new Error(`it did not come to pass within 8 s: ${recorder.calls.join(' ')}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const ended = () => until(() => recorder.done);
const stream = { streamed: true, framing: 'sse' as const };

const good: Answering = (response) => response.writeHead(200, { 'content-type': 'application/json', 'x-request-id': 'theirs', 'openai-organization': 'org-1', 'set-cookie': 'a=1' }).end('{"ok":true}');
const goodStream: Answering = (response) => response.writeHead(200, { 'content-type': 'text/event-stream' }).end('data: {"choices":[]}\n\ndata: [DONE]\n\n');
const status = (code: number): Answering => (response) => response.writeHead(code, { 'content-type': 'application/json' }).end('{"error":{"message":"no"}}');

describe('a request to one upstream', () => {
  it('comes back byte for byte, with the head of the committed upstream', async () => {
    const { upstream, seen } = await servers.add('a', good);
    send([upstream]);
    await ended();
    expect(recorder.calls).toEqual(['head', 'data', 'end']);
    expect(recorder.text).toBe('{"ok":true}');
    expect(recorder.head).toEqual({ status: 200, headers: { 'content-type': 'application/json' }, dialect: 'openai-chat', upstreamId: 'upstream-a', upstreamRequestId: 'theirs', attempts: 1 });
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({ url: '/v1/chat/completions', body: '{"model":"m","messages":[]}' });
  });

  it('carries its credential, plain encoding and nothing of the gateway', async () => {
    const { upstream, seen } = await servers.add('a', good);
    send([upstream], { head: { headers: ['anthropic-beta', 'x', 'accept', 'application/json'] } });
    await ended();
    const { host, connection, ...headers } = seen[0]?.headers ?? {};
    expect([typeof host, connection]).toEqual(['string', 'keep-alive']);
    expect(headers).toEqual({
      'content-type': 'application/json',
      'accept-encoding': 'identity',
      'content-length': '27',
      authorization: 'Bearer credential-of-a',
      'anthropic-beta': 'x',
      accept: 'application/json',
      'anthropic-version': '2023-06-01',
    });
  });

  it.each<[string, string[], string]>([
    ['the default of a header', ['accept', 'anthropic-version'], '2023-06-01'],
    ["the client's header, once", ['anthropic-version', '2099-01-01'], '2099-01-01'],
  ])('carries %s', async (_title, headers, version) => {
    const { upstream, seen } = await servers.add('a', good);
    send([upstream], { head: { headers } });
    await ended();
    expect(seen[0]?.headers['anthropic-version']).toBe(version);
  });

  it('goes below the path of a base URL', async () => {
    const { upstream, seen } = await servers.add('a', good);
    send([{ ...upstream, baseUrl: `${upstream.baseUrl}/proxy/openai` }]);
    await ended();
    expect(seen[0]?.url).toBe('/proxy/openai/v1/chat/completions');
  });

  it.each<[string, Sending, string]>([
    ['no edit of a request that needs none', { text: '{ "model" : "m", "messages":[], "x":1e2 }' }, '{ "model" : "m", "messages":[], "x":1e2 }'],
    ['the usage option of a stream', { head: stream, text: '{"model":"m","messages":[],"stream":true}' }, '{"stream_options":{"include_usage":true},"model":"m","messages":[],"stream":true}'],
    ['a usage option that was there', { head: stream, text: '{"model":"m","messages":[],"stream_options":{"include_usage":true}}' }, '{"model":"m","messages":[],"stream_options":{"include_usage":true}}'],
    ['a usage option turned on', { head: stream, text: '{"model":"m","messages":[],"stream_options":{"include_usage":false}}' }, '{"model":"m","messages":[],"stream_options":{"include_usage":true}}'],
    ['the output limit', { head: { outputLimit: 77 } }, '{"max_completion_tokens":77,"model":"m","messages":[]}'],
    ["no `stream` for Gemini", { provider: content, head: stream, text: '{"stream":true,"contents":[]}' }, '{"contents":[]}'],
    ['the output limit of Gemini', { provider: content, head: { outputLimit: 5 }, text: '{"contents":[],"generationConfig":{"topK":1}}' }, '{"contents":[],"generationConfig":{"maxOutputTokens":5,"topK":1}}'],
  ])('carries %s', async (_title, sending, body) => {
    const { upstream, seen } = await servers.add('a', good);
    send([upstream], sending);
    await ended();
    expect(JSON.parse(seen[0]?.body ?? '')).toEqual(JSON.parse(body));
    expect(seen[0]?.headers['content-length']).toBe(String(seen[0]?.body.length));
  });

  it('asks for the mapped model, in the body and in the path', async () => {
    const { upstream, seen } = await servers.add('a', good);
    const mapped = { ...upstream, modelMapping: new Map([['m', 'their "m"']]) };
    send([mapped]);
    await ended();
    expect(seen[0]?.body).toBe('{"model":"their \\"m\\"","messages":[]}');
    recorder = new Recorder();
    send([{ ...upstream, modelMapping: new Map([['m', 'theirs']]) }], { provider: content, text: '{"contents":[]}' });
    await ended();
    expect(seen[1]).toMatchObject({ url: '/v1beta/models/theirs:json', body: '{"contents":[]}' });
  });
});

describe('failover', () => {
  it.each([401, 402, 403, 408, 429, 500, 502, 503, 504, 529])('leaves an upstream that answers %d', async (code) => {
    const bad = await servers.add('bad', status(code));
    const fine = await servers.add('fine', good);
    send([bad.upstream, fine.upstream]);
    await ended();
    expect(recorder.calls).toEqual(['head', 'data', 'end']);
    expect(recorder.head).toMatchObject({ status: 200, upstreamId: 'upstream-fine', attempts: 2 });
    expect([bad.seen.length, fine.seen.length]).toEqual([1, 1]);
    expect(fine.seen[0]?.headers['authorization']).toBe('Bearer credential-of-fine');
  });

  it.each([400, 404, 405, 409, 413, 415, 422])('does not repeat what was judged with %d', async (code) => {
    const bad = await servers.add('bad', status(code));
    const fine = await servers.add('fine', good);
    send([bad.upstream, fine.upstream]);
    await ended();
    expect(recorder.head).toMatchObject({ status: code, upstreamId: 'upstream-bad', attempts: 1 });
    expect([recorder.text, fine.seen.length]).toEqual(['{"error":{"message":"no"}}', 0]);
  });

  it('passes on what the last upstream answers', async () => {
    const one = await servers.add('one', status(500));
    const two = await servers.add('two', status(429));
    send([one.upstream, two.upstream]);
    await ended();
    expect(recorder.head).toMatchObject({ status: 429, upstreamId: 'upstream-two', attempts: 2 });
  });

  it('leaves an upstream that cannot be reached', async () => {
    const absent = await servers.addAbsent('absent');
    const fine = await servers.add('fine', good);
    send([absent, fine.upstream]);
    await ended();
    expect(recorder.head).toMatchObject({ upstreamId: 'upstream-fine', attempts: 2 });
  });

  it.each<[string, Partial<Upstream>]>([
    ['base URL', { baseUrl: 'not a url' }],
    ['credential', { credential: 'line\nbreak' }],
  ])('leaves an upstream whose %s is unusable', async (_title, change) => {
    const fine = await servers.add('fine', good);
    send([{ ...fine.upstream, ...change }, fine.upstream]);
    await ended();
    expect(recorder.calls).toEqual(['head', 'data', 'end']);
    expect(recorder.head).toMatchObject({ attempts: 2 });
  });

  it('fails, and never throws, where the only upstream is unusable', async () => {
    const fine = await servers.add('fine', good);
    send([{ ...fine.upstream, baseUrl: 'not a url' }]);
    await ended();
    expect(recorder.failure).toMatchObject({ code: 'upstream_failed', sent: false });
  });

  it('leaves an upstream that breaks the connection', async () => {
    const bad = await servers.add('bad', (response) => response.destroy());
    const fine = await servers.add('fine', good);
    send([bad.upstream, fine.upstream]);
    await ended();
    expect(recorder.head).toMatchObject({ upstreamId: 'upstream-fine', attempts: 2 });
  });

  it.each<[string, string[]]>([
    ['of Anthropic', ['event: error\ndata: {"type":"error"}\n\n']],
    ['of OpenAI', ['data: {"error":{"message":"overloaded"}}\n\n']],
    ["in Gemini's array", ['[{\n  "error": {\n    "code": 503}}]']],
    ['that comes byte by byte', [...'event: error\ndata: {}\n\n']],
  ])('leaves a stream whose first event is an error %s', async (_title, pieces) => {
    const bad = await servers.add('bad', (response) => writeApart(response, pieces));
    const fine = await servers.add('fine', goodStream);
    send([bad.upstream, fine.upstream], { head: stream });
    await ended();
    expect(recorder.calls).toEqual(['head', 'data', 'end']);
    expect(recorder.head).toMatchObject({ upstreamId: 'upstream-fine', attempts: 2 });
    expect(recorder.text).toBe('data: {"choices":[]}\n\ndata: [DONE]\n\n');
  });

  it('loses no byte of a good stream that begins slowly, nor of one that is tiny', async () => {
    const text = 'data: {"choices":[]}\n\ndata: [DONE]\n\n';
    const slow = await servers.add('slow', (response) => writeApart(response, [...text]));
    const tiny = await servers.add('tiny', (response) => response.end('data: 1\n\n'));
    const other = await servers.add('other', good);
    send([slow.upstream, other.upstream], { head: stream });
    await ended();
    expect([recorder.text, recorder.calls]).toEqual([text, ['head', 'data', 'end']]);
    recorder = new Recorder();
    send([tiny.upstream, other.upstream], { head: stream });
    await ended();
    expect([recorder.text, recorder.calls]).toEqual(['data: 1\n\n', ['head', 'data', 'end']]);
  });

  it('passes a first error on when no upstream is left', async () => {
    const bad = await servers.add('bad', (response) => response.end('event: error\ndata: {}\n\n'));
    send([bad.upstream], { head: stream });
    await ended();
    expect(recorder.text).toBe('event: error\ndata: {}\n\n');
  });

  it('ends with the commitment: what breaks later is not tried again', async () => {
    const bad = await servers.add('bad', (response) => response.write('data: {"choices":[{}]}\n\n', () => setImmediate(() => response.destroy())));
    const fine = await servers.add('fine', goodStream);
    send([bad.upstream, fine.upstream], { head: stream });
    await ended();
    expect(recorder.calls).toEqual(['head', 'data', 'failure']);
    expect(recorder.failure).toMatchObject({ code: 'upstream_failed', sent: true, upstreamId: 'upstream-bad' });
    expect(fine.seen).toHaveLength(0);
  });
});

describe('an answer that cannot be metered', () => {
  it.each<[string, Answering]>([
    ['is compressed', (response) => response.writeHead(200, { 'content-encoding': 'gzip', 'content-type': 'text/event-stream' }).end('x'.repeat(100))],
    ['is a redirect', (response) => response.writeHead(302, { location: 'https://elsewhere.test' }).end('x'.repeat(100))],
    ['is compressed and empty', (response) => response.writeHead(200, { 'content-encoding': 'br' }).end()],
  ])('because it %s is refused, whole, whether or not another upstream is left', async (_title, answer) => {
    const { upstream } = await servers.add('a', answer);
    const other = await servers.add('other', goodStream);
    for (const upstreams of [[upstream], [upstream, other.upstream]]) {
      for (const head of [{}, stream]) {
        recorder = new Recorder();
        send(upstreams, { head });
        await ended();
        await new Promise((resolve) => setImmediate(resolve));
        expect(recorder.calls).toEqual(['failure']);
        expect(recorder.failure).toMatchObject({ code: 'upstream_failed', sent: true, upstreamId: 'upstream-a' });
      }
    }
  });

  it('may say that it is plain', async () => {
    const { upstream } = await servers.add('a', (response) => response.writeHead(200, { 'content-encoding': 'identity' }).end('ok'));
    send([upstream]);
    await ended();
    expect(recorder.calls).toEqual(['head', 'data', 'end']);
  });
});

describe('an ending', () => {
  it('before the directory answered reaches no upstream', async () => {
    const { upstream, seen } = await servers.add('a', good);
    let answer = (_upstreams: readonly Upstream[]): void => undefined;
    const running = send([], { directory: { upstreamsOf: () => new Promise((resolve) => (answer = resolve)) } });
    running.abort();
    running.abort();
    expect(recorder.calls).toEqual(['failure']);
    expect(recorder.failure).toEqual({ code: 'aborted', sent: false, upstreamId: undefined, cause: undefined });
    answer([upstream]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([recorder.calls, seen.length]).toEqual([['failure'], 0]);
  });

  it('in the middle of an answer cancels it at the provider', async () => {
    const { upstream, closed } = await servers.add('a', (response) => void response.write('data: {"choices":[{}]}\n\n'));
    const running = send([upstream], { head: stream });
    await until(() => recorder.bytes > 0);
    running.abort();
    expect(recorder.calls).toEqual(['head', 'data', 'failure']);
    expect(recorder.failure).toMatchObject({ code: 'aborted', sent: true, upstreamId: 'upstream-a' });
    await until(() => closed() === 1);
    expect(recorder.calls).toHaveLength(3);
  });

  it('out of a call of the handler is the last call', async () => {
    const { upstream } = await servers.add('a', goodStream);
    const other = await servers.add('b', goodStream);
    let running: RunningDispatch | undefined = undefined as RunningDispatch | undefined;
    recorder.onHead = () => {
      recorder.calls.push('head');
      running?.abort();
    };
    running = send([upstream, other.upstream], { head: stream });
    await ended();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(recorder.calls).toEqual(['head', 'failure']);
  });

  it('without an upstream names its cause', async () => {
    send([]);
    await ended();
    expect(recorder.failure).toEqual({ code: 'no_upstream', sent: false, upstreamId: undefined, cause: undefined });
  });

  it('without a directory was not sent', async () => {
    const cause = new Error('no database');
    send([], { directory: { upstreamsOf: () => Promise.reject(cause) } });
    await ended();
    expect(recorder.failure).toEqual({ code: 'internal_error', sent: false, upstreamId: undefined, cause });
  });

  it('by a silent provider is a timeout', async () => {
    const { upstream } = await servers.add('a', () => undefined);
    const adapter = new ProviderAdapter({ provider: chat, upstreams: { upstreamsOf: async () => [upstream] }, client, now: () => 0, answerTimeoutMs: 200, streamTimeoutMs: 5_000, idleTimeoutMs: 5_000 });
    const text = '{"model":"m","messages":[]}';
    adapter.dispatch({ requestId: 'r', groupId: 'g', dialect: 'openai-chat', model: 'm', streamed: false, framing: 'json', headers: [], facts: factsOf('openai-chat', text), outputLimit: undefined }, Buffer.from(text), recorder);
    await ended();
    expect(recorder.failure).toMatchObject({ code: 'upstream_timeout', sent: true });
  });
});

describe('back-pressure', () => {
  it('asked for before there was an upstream, or during another attempt, holds for the one that answers', async () => {
    const bad = await servers.add('bad', status(500));
    const fine = await servers.add('fine', good);
    const running = send([bad.upstream, fine.upstream]);
    running.pause();
    await until(() => fine.seen.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(recorder.bytes).toBe(0);
    running.resume();
    await ended();
    expect(recorder.text).toBe('{"ok":true}');
  });
});

describe('an attempt that was left', () => {
  it('is aborted, and its late calls go nowhere, even those within the sending', async () => {
    const handlers: UpstreamHandler[] = [];
    const aborted: number[] = [];
    const late: UpstreamClient = {
      send(_request, handler) {
        const attempt = handlers.push(handler);
        if (attempt === 1) handler.onError('broken', false, new Error('at once'));
        return { pause: () => undefined, resume: () => undefined, abort: () => void aborted.push(attempt) };
      },
      close: async () => undefined,
    };
    const { upstream } = await servers.add('a', good);
    const running = send([upstream, upstream, upstream], { client: late });
    await until(() => handlers.length === 2);
    handlers[1]?.onHead(503, {});
    expect([handlers.length, aborted]).toEqual([3, [2]]);
    for (const handler of handlers.slice(0, 2)) {
      handler.onHead(200, {});
      handler.onData(Buffer.from('late'));
      handler.onEnd();
      handler.onError('broken', true, new Error('late'));
    }
    expect(recorder.calls).toEqual([]);
    handlers[2]?.onHead(200, {});
    handlers[2]?.onData(Buffer.from('good'));
    handlers[2]?.onEnd();
    handlers[2]?.onEnd();
    running.abort();
    expect([recorder.calls, recorder.text]).toEqual([['head', 'data', 'end'], 'good']);
  });
});

/** Each piece in a write of its own. */
function writeApart(response: Parameters<Answering>[0], pieces: readonly string[]): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.flushHeaders();
  const next = (index: number): void => {
    const piece = pieces[index];
    if (piece === undefined) response.end();
    else response.write(piece, () => setImmediate(() => next(index + 1)));
  };
  next(0);
}

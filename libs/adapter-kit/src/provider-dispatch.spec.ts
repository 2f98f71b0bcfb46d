import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Upstream } from '@tokone/account-client';
import type { UpstreamClient, UpstreamHandler } from '@tokone/http';
import type { RunningDispatch } from './adapter.js';
import { AnswerRecorder } from './fixtures/answer-recorder.js';
import { DispatchBench, chat, content, factsOf, good, goodStream, status, stream } from './fixtures/dispatch-bench.js';
import type { Sending } from './fixtures/dispatch-bench.js';
import type { Answering } from './fixtures/provider-servers.js';
import { ProviderAdapter } from './provider-adapter.js';

let bench: DispatchBench;
beforeEach(() => {
  bench = new DispatchBench();
});
afterEach(() => bench.close());

describe('a request to one upstream', () => {
  it('comes back byte for byte, with the head of the committed upstream', async () => {
    const { upstream, seen } = await bench.servers.add('a', good);
    bench.send([upstream]);
    await bench.ended();
    expect(bench.recorder.calls).toEqual(['head', 'data', 'end']);
    expect(bench.recorder.text).toBe('{"ok":true}');
    expect(bench.recorder.head).toEqual({ status: 200, headers: { 'content-type': 'application/json' }, dialect: 'openai-chat', upstreamId: 'upstream-a', upstreamRequestId: 'theirs', attempts: 1 });
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({ url: '/v1/chat/completions', body: '{"model":"m","messages":[]}' });
  });

  it('carries its credential, plain encoding and nothing of the gateway', async () => {
    const { upstream, seen } = await bench.servers.add('a', good);
    bench.send([upstream], { head: { headers: ['anthropic-beta', 'x', 'accept', 'application/json'] } });
    await bench.ended();
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
    const { upstream, seen } = await bench.servers.add('a', good);
    bench.send([upstream], { head: { headers } });
    await bench.ended();
    expect(seen[0]?.headers['anthropic-version']).toBe(version);
  });

  it('goes below the path of a base URL', async () => {
    const { upstream, seen } = await bench.servers.add('a', good);
    bench.send([{ ...upstream, baseUrl: `${upstream.baseUrl}/proxy/openai` }]);
    await bench.ended();
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
    const { upstream, seen } = await bench.servers.add('a', good);
    bench.send([upstream], sending);
    await bench.ended();
    expect(JSON.parse(seen[0]?.body ?? '')).toEqual(JSON.parse(body));
    expect(seen[0]?.headers['content-length']).toBe(String(seen[0]?.body.length));
  });

  it('asks for the mapped model, in the body and in the path', async () => {
    const { upstream, seen } = await bench.servers.add('a', good);
    const mapped = { ...upstream, modelMapping: new Map([['m', 'their "m"']]) };
    bench.send([mapped]);
    await bench.ended();
    expect(seen[0]?.body).toBe('{"model":"their \\"m\\"","messages":[]}');
    bench.recorder = new AnswerRecorder();
    bench.send([{ ...upstream, modelMapping: new Map([['m', 'theirs']]) }], { provider: content, text: '{"contents":[]}' });
    await bench.ended();
    expect(seen[1]).toMatchObject({ url: '/v1beta/models/theirs:json', body: '{"contents":[]}' });
  });
});

describe('an answer that cannot be metered', () => {
  it.each<[string, Answering]>([
    ['is compressed', (response) => response.writeHead(200, { 'content-encoding': 'gzip', 'content-type': 'text/event-stream' }).end('x'.repeat(100))],
    ['is a redirect', (response) => response.writeHead(302, { location: 'https://elsewhere.test' }).end('x'.repeat(100))],
    ['is compressed and empty', (response) => response.writeHead(200, { 'content-encoding': 'br' }).end()],
  ])('because it %s is refused, whole, whether or not another upstream is left', async (_title, answer) => {
    const { upstream } = await bench.servers.add('a', answer);
    const other = await bench.servers.add('other', goodStream);
    for (const upstreams of [[upstream], [upstream, other.upstream]]) {
      for (const head of [{}, stream]) {
        bench.recorder = new AnswerRecorder();
        bench.send(upstreams, { head });
        await bench.ended();
        await new Promise((resolve) => setImmediate(resolve));
        expect(bench.recorder.calls).toEqual(['failure']);
        expect(bench.recorder.failure).toMatchObject({ code: 'upstream_failed', sent: true, upstreamId: 'upstream-a' });
      }
    }
  });

  it('is told to the log without a word of what the provider wrote, which may be the credential that it was sent', async () => {
    const causes: string[] = [];
    for (const encoding of ['gzip', 'Bearer credential-of-a']) {
      const { upstream } = await bench.servers.add(encoding, (response) => response.writeHead(200, { 'content-encoding': encoding }).end('x'));
      bench.recorder = new AnswerRecorder();
      bench.send([upstream]);
      await bench.ended();
      causes.push(String(bench.recorder.failure?.cause));
    }
    expect(causes).toEqual(['Error: upstream answered with status 200, content-encoding gzip', 'Error: upstream answered with status 200, content-encoding of another name']);
  });

  it('may say that it is plain', async () => {
    const { upstream } = await bench.servers.add('a', (response) => response.writeHead(200, { 'content-encoding': 'identity' }).end('ok'));
    bench.send([upstream]);
    await bench.ended();
    expect(bench.recorder.calls).toEqual(['head', 'data', 'end']);
  });
});

describe('an ending', () => {
  it('before the directory answered reaches no upstream', async () => {
    const { upstream, seen } = await bench.servers.add('a', good);
    let answer = (_upstreams: readonly Upstream[]): void => undefined;
    const running = bench.send([], { directory: { upstreamsOf: () => new Promise((resolve) => (answer = resolve)) } });
    running.abort();
    running.abort();
    expect(bench.recorder.calls).toEqual(['failure']);
    expect(bench.recorder.failure).toEqual({ code: 'aborted', sent: false, upstreamId: undefined, cause: undefined });
    answer([upstream]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([bench.recorder.calls, seen.length]).toEqual([['failure'], 0]);
  });

  it('in the middle of an answer cancels it at the provider', async () => {
    const { upstream, closed } = await bench.servers.add('a', (response) => void response.write('data: {"choices":[{}]}\n\n'));
    const running = bench.send([upstream], { head: stream });
    await bench.until(() => bench.recorder.bytes > 0);
    running.abort();
    expect(bench.recorder.calls).toEqual(['head', 'data', 'failure']);
    expect(bench.recorder.failure).toMatchObject({ code: 'aborted', sent: true, upstreamId: 'upstream-a' });
    await bench.until(() => closed() === 1);
    expect(bench.recorder.calls).toHaveLength(3);
  });

  it('out of a call of the handler is the last call', async () => {
    const { upstream } = await bench.servers.add('a', goodStream);
    const other = await bench.servers.add('b', goodStream);
    let running: RunningDispatch | undefined = undefined as RunningDispatch | undefined;
    bench.recorder.onHead = () => {
      bench.recorder.calls.push('head');
      running?.abort();
    };
    running = bench.send([upstream, other.upstream], { head: stream });
    await bench.ended();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(bench.recorder.calls).toEqual(['head', 'failure']);
  });

  it('without an upstream names its cause', async () => {
    bench.send([]);
    await bench.ended();
    expect(bench.recorder.failure).toEqual({ code: 'no_upstream', sent: false, upstreamId: undefined, cause: undefined });
  });

  it('without a directory was not sent', async () => {
    const cause = new Error('no database');
    bench.send([], { directory: { upstreamsOf: () => Promise.reject(cause) } });
    await bench.ended();
    expect(bench.recorder.failure).toEqual({ code: 'not_ready', sent: false, upstreamId: undefined, cause });
  });

  it('by a silent provider is a timeout', async () => {
    const { upstream } = await bench.servers.add('a', () => undefined);
    const adapter = new ProviderAdapter({ provider: chat, upstreams: { upstreamsOf: async () => [upstream] }, client: bench.client, now: () => 0, answerTimeoutMs: 200, streamTimeoutMs: 5_000, idleTimeoutMs: 5_000 });
    const text = '{"model":"m","messages":[]}';
    adapter.dispatch({ requestId: 'r', groupId: 'g', dialect: 'openai-chat', model: 'm', streamed: false, framing: 'json', headers: [], facts: factsOf('openai-chat', text), outputLimit: undefined }, Buffer.from(text), bench.recorder);
    await bench.ended();
    expect(bench.recorder.failure).toMatchObject({ code: 'upstream_timeout', sent: true });
  });
});

describe('back-pressure', () => {
  it('asked for before there was an upstream, or during another attempt, holds for the one that answers', async () => {
    const bad = await bench.servers.add('bad', status(500));
    const fine = await bench.servers.add('fine', good);
    const running = bench.send([bad.upstream, fine.upstream]);
    running.pause();
    await bench.until(() => fine.seen.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(bench.recorder.bytes).toBe(0);
    running.resume();
    await bench.ended();
    expect(bench.recorder.text).toBe('{"ok":true}');
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
    const { upstream } = await bench.servers.add('a', good);
    const running = bench.send([upstream, upstream, upstream], { client: late });
    await bench.until(() => handlers.length === 2);
    handlers[1]?.onHead(503, {});
    expect([handlers.length, aborted]).toEqual([3, [2]]);
    for (const handler of handlers.slice(0, 2)) {
      handler.onHead(200, {});
      handler.onData(Buffer.from('late'));
      handler.onEnd();
      handler.onError('broken', true, new Error('late'));
    }
    expect(bench.recorder.calls).toEqual([]);
    handlers[2]?.onHead(200, {});
    handlers[2]?.onData(Buffer.from('good'));
    handlers[2]?.onEnd();
    handlers[2]?.onEnd();
    running.abort();
    expect([bench.recorder.calls, bench.recorder.text]).toEqual([['head', 'data', 'end'], 'good']);
  });
});

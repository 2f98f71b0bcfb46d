import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Upstream } from '@tokone/account-client';
import { AnswerRecorder } from './fixtures/answer-recorder.js';
import { DispatchBench, good, goodStream, status, stream } from './fixtures/dispatch-bench.js';
import type { Answering } from './fixtures/provider-servers.js';

let bench: DispatchBench;
beforeEach(() => {
  bench = new DispatchBench();
});
afterEach(() => bench.close());

describe('failover', () => {
  it.each([401, 402, 403, 408, 429, 500, 502, 503, 504, 529])('leaves an upstream that answers %d', async (code) => {
    const bad = await bench.servers.add('bad', status(code));
    const fine = await bench.servers.add('fine', good);
    bench.send([bad.upstream, fine.upstream]);
    await bench.ended();
    expect(bench.recorder.calls).toEqual(['head', 'data', 'end']);
    expect(bench.recorder.head).toMatchObject({ status: 200, upstreamId: 'upstream-fine', attempts: 2 });
    expect([bad.seen.length, fine.seen.length]).toEqual([1, 1]);
    expect(fine.seen[0]?.headers['authorization']).toBe('Bearer credential-of-fine');
  });

  it.each([400, 404, 405, 409, 413, 415, 422])('does not repeat what was judged with %d', async (code) => {
    const bad = await bench.servers.add('bad', status(code));
    const fine = await bench.servers.add('fine', good);
    bench.send([bad.upstream, fine.upstream]);
    await bench.ended();
    expect(bench.recorder.head).toMatchObject({ status: code, upstreamId: 'upstream-bad', attempts: 1 });
    expect([bench.recorder.text, fine.seen.length]).toEqual(['{"error":{"message":"no"}}', 0]);
  });

  it('passes on what the last upstream answers', async () => {
    const one = await bench.servers.add('one', status(500));
    const two = await bench.servers.add('two', status(429));
    bench.send([one.upstream, two.upstream]);
    await bench.ended();
    expect(bench.recorder.head).toMatchObject({ status: 429, upstreamId: 'upstream-two', attempts: 2 });
  });

  it('leaves an upstream that cannot be reached', async () => {
    const absent = await bench.servers.addAbsent('absent');
    const fine = await bench.servers.add('fine', good);
    bench.send([absent, fine.upstream]);
    await bench.ended();
    expect(bench.recorder.head).toMatchObject({ upstreamId: 'upstream-fine', attempts: 2 });
  });

  it.each<[string, Partial<Upstream>]>([
    ['base URL', { baseUrl: 'not a url' }],
    ['credential', { credential: 'line\nbreak' }],
  ])('leaves an upstream whose %s is unusable', async (_title, change) => {
    const fine = await bench.servers.add('fine', good);
    bench.send([{ ...fine.upstream, ...change }, fine.upstream]);
    await bench.ended();
    expect(bench.recorder.calls).toEqual(['head', 'data', 'end']);
    expect(bench.recorder.head).toMatchObject({ attempts: 2 });
  });

  it('fails, and never throws, where the only upstream is unusable', async () => {
    const fine = await bench.servers.add('fine', good);
    bench.send([{ ...fine.upstream, baseUrl: 'not a url' }]);
    await bench.ended();
    expect(bench.recorder.failure).toMatchObject({ code: 'upstream_failed', sent: false });
  });

  it('leaves an upstream that breaks the connection', async () => {
    const bad = await bench.servers.add('bad', (response) => response.destroy());
    const fine = await bench.servers.add('fine', good);
    bench.send([bad.upstream, fine.upstream]);
    await bench.ended();
    expect(bench.recorder.head).toMatchObject({ upstreamId: 'upstream-fine', attempts: 2 });
  });

  it.each<[string, string[]]>([
    ['of Anthropic', ['event: error\ndata: {"type":"error"}\n\n']],
    ['of OpenAI', ['data: {"error":{"message":"overloaded"}}\n\n']],
    ["in Gemini's array", ['[{\n  "error": {\n    "code": 503}}]']],
    ['that comes byte by byte', [...'event: error\ndata: {}\n\n']],
  ])('leaves a stream whose first event is an error %s', async (_title, pieces) => {
    const bad = await bench.servers.add('bad', (response) => writeApart(response, pieces));
    const fine = await bench.servers.add('fine', goodStream);
    bench.send([bad.upstream, fine.upstream], { head: stream });
    await bench.ended();
    expect(bench.recorder.calls).toEqual(['head', 'data', 'end']);
    expect(bench.recorder.head).toMatchObject({ upstreamId: 'upstream-fine', attempts: 2 });
    expect(bench.recorder.text).toBe('data: {"choices":[]}\n\ndata: [DONE]\n\n');
  });

  it('loses no byte of a good stream that begins slowly, nor of one that is tiny', async () => {
    const text = 'data: {"choices":[]}\n\ndata: [DONE]\n\n';
    const slow = await bench.servers.add('slow', (response) => writeApart(response, [...text]));
    const tiny = await bench.servers.add('tiny', (response) => response.end('data: 1\n\n'));
    const other = await bench.servers.add('other', good);
    bench.send([slow.upstream, other.upstream], { head: stream });
    await bench.ended();
    expect([bench.recorder.text, bench.recorder.calls]).toEqual([text, ['head', 'data', 'end']]);
    bench.recorder = new AnswerRecorder();
    bench.send([tiny.upstream, other.upstream], { head: stream });
    await bench.ended();
    expect([bench.recorder.text, bench.recorder.calls]).toEqual(['data: 1\n\n', ['head', 'data', 'end']]);
  });

  it('passes a first error on when no upstream is left', async () => {
    const bad = await bench.servers.add('bad', (response) => response.end('event: error\ndata: {}\n\n'));
    bench.send([bad.upstream], { head: stream });
    await bench.ended();
    expect(bench.recorder.text).toBe('event: error\ndata: {}\n\n');
  });

  it('ends with the commitment: what breaks later is not tried again', async () => {
    const bad = await bench.servers.add('bad', (response) => response.write('data: {"choices":[{}]}\n\n', () => setImmediate(() => response.destroy())));
    const fine = await bench.servers.add('fine', goodStream);
    bench.send([bad.upstream, fine.upstream], { head: stream });
    await bench.ended();
    expect(bench.recorder.calls).toEqual(['head', 'data', 'failure']);
    expect(bench.recorder.failure).toMatchObject({ code: 'upstream_failed', sent: true, upstreamId: 'upstream-bad' });
    expect(fine.seen).toHaveLength(0);
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

import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Upstream } from '@tokone/account-client';
import type { Adapter, AdapterFailure, RunningDispatch } from './adapter.js';
import { AnswerRecorder } from './fixtures/answer-recorder.js';
import { DispatchBench, good, goodStream, status, stream } from './fixtures/dispatch-bench.js';
import type { Sending } from './fixtures/dispatch-bench.js';
import { collectGarbage } from './fixtures/garbage.js';
import type { Answering } from './fixtures/provider-servers.js';

/** A way to an adapter. */
export interface AdapterDriver {
  /** The driver, on top of an adapter in this process. The last one that was named serves. */
  over(local: Adapter): Adapter;
  close(): Promise<void>;
}

const MIB = 1_048_576;
/** A cancelled request is cancelled at the provider within this. */
const CANCEL_MS = 1_000;
/** What sockets, kernels and one read may hold of an answer that stands still. */
const STANDING_BYTES = 16 * MIB;
const textWith = (content: string): string => `{"model":"m","messages":[{"role":"user","content":"${content}"}]}`;
const EMPTY_TEXT_BYTES = textWith('').length;

/** The promises of `Adapter`, the same for every driver, over real providers on loopback. */
export function adapterContract(name: string, makeDriver: () => Promise<AdapterDriver>): void {
  describe(`Adapter ${name}`, () => {
    const state = {} as { bench: DispatchBench; driver: AdapterDriver };
    beforeEach(async () => {
      const driver = await makeDriver();
      Object.assign(state, { driver, bench: new DispatchBench((local) => driver.over(local)) });
    });
    afterEach(async () => {
      await state.driver.close();
      await state.bench.close();
    });
    const benchOf = (): DispatchBench => state.bench;
    requests(benchOf);
    answers(benchOf);
    failures(benchOf);
    failsOver(benchOf);
    cancels(benchOf);
    standsStill(benchOf);
    runsSideBySide(benchOf);
    letsGoOfTheBody(benchOf);
  });
}

function requests(bench: () => DispatchBench): void {
  it.each<[string, Sending, string]>([
    ['as it came', { text: '{ "model" : "m", "messages":[], "x":1e2, "t":"äöü \\u0000" }' }, '{ "model" : "m", "messages":[], "x":1e2, "t":"äöü \\u0000" }'],
    ['with the output limit', { head: { outputLimit: 77 } }, '{"max_completion_tokens":77,"model":"m","messages":[]}'],
    ['with the usage option of a stream', { head: stream, text: '{"model":"m","messages":[],"stream":true}' }, '{"stream_options":{"include_usage":true},"model":"m","messages":[],"stream":true}'],
  ])('sends a body %s', async (_title, sending, body) => {
    const { upstream, seen } = await bench().servers.add('a', good);
    bench().send([upstream], sending);
    await bench().ended();
    expect(seen.map((request) => request.body)).toEqual([body]);
  });

  it.each([65_535, 65_536, 3 * MIB])('sends a body of %d bytes whole', async (bytes) => {
    const { upstream, seen } = await bench().servers.add('a', good);
    const text = textWith('x'.repeat(bytes - EMPTY_TEXT_BYTES));
    bench().send([upstream], { text });
    await bench().ended();
    expect(text).toHaveLength(bytes);
    expect([seen.length, seen[0]?.body === text, seen[0]?.headers['content-length']]).toEqual([1, true, String(bytes)]);
  });

  it("sends the client's headers and the upstream's credential, and asks for the mapped model", async () => {
    const { upstream, seen } = await bench().servers.add('a', good);
    bench().send([{ ...upstream, modelMapping: new Map([['m', 'their "m"']]) }], { head: { headers: ['anthropic-beta', 'x', 'anthropic-beta', 'ÿ', 'accept', '*/*'] } });
    await bench().ended();
    expect(seen[0]?.headers).toMatchObject({ 'anthropic-beta': 'x, ÿ', accept: '*/*', authorization: 'Bearer credential-of-a' });
    expect(Object.keys(seen[0]?.headers ?? {}).filter((header) => header.startsWith('x-') || header === 'traceparent')).toEqual([]);
    expect(seen[0]?.body).toBe('{"model":"their \\"m\\"","messages":[]}');
  });
}

function answers(bench: () => DispatchBench): void {
  it('gives the head of the committed upstream, then the bytes, then the end', async () => {
    const { upstream } = await bench().servers.add('a', good);
    bench().send([upstream]);
    await bench().ended();
    expect([bench().recorder.calls, bench().recorder.text]).toEqual([['head', 'data', 'end'], '{"ok":true}']);
    expect(bench().recorder.head).toEqual({ status: 200, headers: { 'content-type': 'application/json' }, dialect: 'openai-chat', upstreamId: 'upstream-a', upstreamRequestId: 'theirs', attempts: 1 });
  });

  it('gives a head as soon as there is one, and all its headers as they are', async () => {
    let finish = (): void => undefined;
    const headers = { 'content-type': 'text/event-stream; note="y"', 'openai-version': 'v', 'retry-after': '3' };
    const { upstream } = await bench().servers.add('a', (response) => {
      response.writeHead(206, headers).flushHeaders();
      finish = () => response.end();
    });
    bench().send([upstream], { head: stream });
    await bench().until(() => bench().recorder.head !== undefined);
    expect(bench().recorder.head).toEqual({ status: 206, headers, dialect: 'openai-chat', upstreamId: 'upstream-a', upstreamRequestId: undefined, attempts: 1 });
    finish();
    await bench().ended();
    expect(bench().recorder.calls).toEqual(['head', 'end']);
  });

  it.each([400, 401, 404, 429, 500, 503])('passes on what the only upstream says with status %d', async (code) => {
    const { upstream } = await bench().servers.add('a', status(code));
    bench().send([upstream]);
    await bench().ended();
    expect(bench().recorder.head).toMatchObject({ status: code, attempts: 1 });
    expect([bench().recorder.calls, bench().recorder.text]).toEqual([['head', 'data', 'end'], '{"error":{"message":"no"}}']);
  });

  it.each<[string, number, (at: number) => number]>([
    ['10,000 chunks of a few bytes', 60_000, (at) => 1 + ((at * 7) % 11)],
    ['chunks of every size', 2 * MIB, (at) => 1 + ((at * 48_271) % 30_011)],
    ['one piece of 4 MiB', 4 * MIB, () => 4 * MIB],
  ])('gives the bytes exactly, in %s', async (_title, bytes, sizeAt) => {
    const whole = Buffer.from(Uint8Array.from({ length: bytes }, (_, index) => (index * 31 + (index >> 8)) & 255));
    const { upstream } = await bench().servers.add('a', (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      for (let at = 0; at < bytes; ) response.write(whole.subarray(at, (at += sizeAt(at))));
      response.end();
    });
    bench().send([upstream], { head: stream });
    await bench().ended();
    expect([bench().recorder.calls, bench().recorder.bytes]).toEqual([['head', 'data', 'end'], bytes]);
    expect(bench().recorder.digest).toBe(createHash('sha256').update(whole).digest('hex'));
  });
}

function failures(bench: () => DispatchBench): void {
  const begun: Answering = (response) => void response.write('data: {"choices":[{}]}\n\n');

  it.each<[string, (bench: DispatchBench) => Promise<Upstream[]>, Sending, Omit<AdapterFailure, 'cause'>]>([
    ['has no upstream', async () => [], {}, { code: 'no_upstream', sent: false, upstreamId: undefined }],
    ['has no directory', async () => [], { directory: { upstreamsOf: () => Promise.reject(new Error('no database')) } }, { code: 'not_ready', sent: false, upstreamId: undefined }],
    ['reaches nobody', async ({ servers }) => [await servers.addAbsent('a')], {}, { code: 'upstream_failed', sent: false, upstreamId: 'upstream-a' }],
    ['meets a break before the head', async ({ servers }) => [(await servers.add('a', (response) => response.destroy())).upstream], {}, { code: 'upstream_failed', sent: true, upstreamId: 'upstream-a' }],
    ['meets an answer that cannot be metered', async ({ servers }) => [(await servers.add('a', (response) => response.writeHead(302).end())).upstream], {}, { code: 'upstream_failed', sent: true, upstreamId: 'upstream-a' }],
    ['meets silence', async ({ servers }) => [(await servers.add('a', () => undefined)).upstream], { silenceMs: 100 }, { code: 'upstream_timeout', sent: true, upstreamId: 'upstream-a' }],
  ])('says what happened to a request that %s', async (_title, upstreamsOf, sending, failure) => {
    bench().send(await upstreamsOf(bench()), sending);
    await bench().ended();
    const { calls, failure: heard } = bench().recorder;
    expect([calls, heard]).toMatchObject([['failure'], failure]);
    expect(failure.code === 'no_upstream' || String(heard?.cause).length > 5).toBe(true);
  });

  it.each<[string, Answering, Sending, AdapterFailure['code']]>([
    ['breaks', (response) => response.write('data: {"choices":[{}]}\n\n', () => setImmediate(() => response.destroy())), {}, 'upstream_failed'],
    ['falls silent', begun, { silenceMs: 200 }, 'upstream_timeout'],
  ])('never ends an answer that %s: it fails, behind the bytes that came', async (_title, answer, sending, code) => {
    const { upstream } = await bench().servers.add('a', answer);
    bench().send([upstream], { head: stream, ...sending });
    await bench().ended();
    expect(bench().recorder.calls).toEqual(['head', 'data', 'failure']);
    expect(bench().recorder.text).toBe('data: {"choices":[{}]}\n\n');
    expect(bench().recorder.failure).toMatchObject({ code, sent: true, upstreamId: 'upstream-a' });
  });
}

function failsOver(bench: () => DispatchBench): void {
  it.each<[string, Answering]>([
    ['answers 500', status(500)],
    ['breaks', (response) => response.destroy()],
    ['begins with an error', (response) => response.end('event: error\ndata: {}\n\n')],
  ])('leaves an upstream that %s, and says how many were tried', async (_title, answer) => {
    const bad = await bench().servers.add('bad', answer);
    const fine = await bench().servers.add('fine', goodStream);
    bench().send([bad.upstream, await bench().servers.addAbsent('absent'), fine.upstream], { head: stream });
    await bench().ended();
    expect(bench().recorder.calls).toEqual(['head', 'data', 'end']);
    expect(bench().recorder.head).toMatchObject({ status: 200, upstreamId: 'upstream-fine', attempts: 3 });
    expect([bad.seen.length, fine.seen.length]).toEqual([1, 1]);
  });
}

function cancels(bench: () => DispatchBench): void {
  const cancelledIn = async (closed: () => number): Promise<number> => {
    const abortedAtMs = performance.now();
    await bench().until(() => closed() === 1);
    return performance.now() - abortedAtMs;
  };

  it.each<[string, Answering, (bench: DispatchBench) => boolean, string[]]>([
    ['before the head', () => undefined, () => true, ['failure']],
    ['in the middle of an answer', (response) => void response.write('data: {"choices":[{}]}\n\n'), ({ recorder }) => recorder.bytes > 0, ['head', 'data', 'failure']],
  ])('cancels the request at the provider when it is aborted %s', async (_title, answer, ready, calls) => {
    const { upstream, seen, closed } = await bench().servers.add('a', answer);
    const running = bench().send([upstream], { head: stream });
    await bench().until(() => seen.length === 1 && ready(bench()));
    running.abort();
    running.abort();
    expect(await cancelledIn(closed)).toBeLessThan(CANCEL_MS);
    expect(bench().recorder.calls).toEqual(calls);
    expect(bench().recorder.failure).toMatchObject({ code: 'aborted', sent: true });
  });

  it('calls nothing more once a call of the handler has aborted it', async () => {
    const { upstream, closed } = await bench().servers.add('a', (response) => void response.write('data: {"choices":[{}]}\n\n'));
    let running: RunningDispatch | undefined = undefined as RunningDispatch | undefined;
    const { recorder } = bench();
    recorder.onHead = () => {
      recorder.calls.push('head');
      running?.abort();
    };
    running = bench().send([upstream], { head: stream });
    await bench().ended();
    expect(await cancelledIn(closed)).toBeLessThan(CANCEL_MS);
    expect(recorder.calls).toEqual(['head', 'failure']);
  });

  it('does nothing when it is aborted, paused or resumed after the end', async () => {
    const { upstream } = await bench().servers.add('a', good);
    const running = bench().send([upstream]);
    await bench().ended();
    running.abort();
    running.pause();
    running.resume();
    expect(bench().recorder.calls).toEqual(['head', 'data', 'end']);
  });
}

function standsStill(bench: () => DispatchBench): void {
  it('stops the provider while it is paused, and loses nothing', async () => {
    const chunk = Buffer.alloc(16_384, 'x');
    let taken = 0;
    const { upstream } = await bench().servers.add('a', (response) => {
      const more = (): void => {
        while (!response.destroyed && response.write(chunk, () => (taken += chunk.length))) continue;
      };
      response.on('drain', more);
      more();
    });
    const { recorder } = bench();
    const running = bench().send([upstream], { head: stream });
    await bench().until(() => recorder.bytes > MIB);
    running.pause();
    const [receivedAtPause, takenAtPause] = [recorder.bytes, taken];
    await standing(bench(), () => taken);
    expect(recorder.bytes - receivedAtPause).toBeLessThanOrEqual(262_144);
    expect(taken - takenAtPause).toBeLessThanOrEqual(STANDING_BYTES);
    const stoodAt = taken;
    running.resume();
    await bench().until(() => taken > stoodAt + 4 * MIB && recorder.bytes > stoodAt);
    running.abort();
  });

  it('holds an answer back that was paused before it began, also behind an upstream that failed', async () => {
    const bad = await bench().servers.add('bad', status(500));
    const fine = await bench().servers.add('fine', good);
    const running = bench().send([bad.upstream, fine.upstream]);
    running.pause();
    await bench().until(() => fine.seen.length === 1);
    await standing(bench(), () => bench().recorder.bytes);
    expect(bench().recorder.bytes).toBe(0);
    running.resume();
    await bench().ended();
    expect(bench().recorder.text).toBe('{"ok":true}');
  });
}

function runsSideBySide(bench: () => DispatchBench): void {
  it('keeps 200 streams apart, all open at a time', async () => {
    const open: (() => void)[] = [];
    const { upstream } = await bench().servers.add('a', (response, { body }) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: {"choices":[]}\n\n');
      open.push(() => response.end(`data: ${body.length}\n\n`));
    });
    const recorders = Array.from({ length: 200 }, (_, index) => {
      bench().recorder = new AnswerRecorder();
      bench().send([upstream], { text: textWith('x'.repeat(index)) });
      return bench().recorder;
    });
    await bench().until(() => open.length === 200 && recorders.every(({ bytes }) => bytes > 0));
    for (const end of open) end();
    await bench().until(() => recorders.every(({ done }) => done));
    expect(recorders.filter(({ text }, index) => text !== `data: {"choices":[]}\n\ndata: ${EMPTY_TEXT_BYTES + index}\n\n`)).toEqual([]);
  }, 20_000);
}

function letsGoOfTheBody(bench: () => DispatchBench): void {
  const begun: Answering = (response) => void response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: {"choices":[{}]}\n\n');

  it.each<[string, (bench: DispatchBench) => Promise<Upstream>, string]>([
    ['an answer has begun', async ({ servers }) => (await servers.add('a', begun)).upstream, 'data'],
    ['it has failed', async ({ servers }) => servers.addAbsent('a'), 'failure'],
  ])('does not keep a large body once %s', async (_title, upstreamOf, last) => {
    let body: WeakRef<ArrayBufferLike> | undefined;
    const running = bench().send([await upstreamOf(bench())], { text: textWith('x'.repeat(4 * MIB)), head: stream, onBody: (bytes) => void (body = new WeakRef(bytes.buffer)) });
    await bench().until(() => bench().recorder.calls.at(-1) === last);
    await bench().until(() => {
      collectGarbage();
      return body?.deref() === undefined;
    });
    expect(bench().recorder.calls.at(-1)).toBe(last);
    running.abort();
  });
}

/** Until a number has not moved for 300 ms. */
async function standing(bench: DispatchBench, value: () => number): Promise<void> {
  let last = value();
  let sinceMs = performance.now();
  await bench.until(() => {
    if (value() !== last) [last, sinceMs] = [value(), performance.now()];
    return performance.now() - sinceMs > 300;
  });
}

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Upstream } from '@tokone/account-client';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { DispatchBench, status, stream } from './fixtures/dispatch-bench.js';
import type { Sending } from './fixtures/dispatch-bench.js';
import type { Answering } from './fixtures/provider-servers.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const TEXT = `{"model":"m","messages":[{"role":"user","content":"${'x'.repeat(4_194_304)}"}]}`;

/** An answer that has begun and goes on without end. */
const begun: Answering = (response) => void response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: {"choices":[{}]}\n\n');

let bench: DispatchBench;
let body: WeakRef<ArrayBufferLike>;
beforeEach(() => {
  bench = new DispatchBench();
});
afterEach(() => bench.close());

const send = (upstreams: readonly Upstream[], sending: Sending = {}) =>
  bench.send(upstreams, { text: TEXT, onBody: (bytes) => void (body = new WeakRef(bytes.buffer)), ...sending });

const isGone = (): boolean => {
  collectGarbage();
  return body.deref() === undefined;
};

describe('the body of a request is let go of', () => {
  it.each<[string, Sending]>([
    ['a stream whose request was edited', { head: stream }],
    ['a request that was sent as it came', {}],
  ])('while the answer still runs: %s', async (_title, sending) => {
    const { upstream } = await bench.servers.add('a', begun);
    const running = send([upstream], sending);
    await bench.until(() => bench.recorder.bytes > 0);
    await bench.until(isGone);
    expect(bench.recorder.calls).toEqual(['head', 'data']);
    running.abort();
  });

  it('when another upstream has answered, not before', async () => {
    const bad = await bench.servers.add('bad', status(500));
    const fine = await bench.servers.add('fine', begun);
    const running = send([bad.upstream, fine.upstream], { head: stream });
    await bench.until(() => bench.recorder.bytes > 0);
    await bench.until(isGone);
    expect(fine.seen[0]?.body.length).toBeGreaterThan(TEXT.length);
    expect(bad.seen[0]?.body === fine.seen[0]?.body).toBe(true);
    running.abort();
  });

  it('after a failure, by whoever still knows the request', async () => {
    const running = send([await bench.servers.addAbsent('absent')]);
    await bench.ended();
    await bench.until(isGone);
    running.abort();
    expect(bench.recorder.calls).toEqual(['failure']);
  });

  it('after an end that came while the directory was asked', async () => {
    let answer = (_upstreams: readonly Upstream[]): void => undefined;
    const running = send([], { directory: { upstreamsOf: () => new Promise((resolve) => (answer = resolve)) } });
    running.abort();
    await bench.until(isGone);
    answer([]);
    expect(bench.recorder.calls).toEqual(['failure']);
  });
});

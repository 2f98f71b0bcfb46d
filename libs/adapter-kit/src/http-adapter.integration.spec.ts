import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ChildProgram } from '@tokone/testing';
import type { Adapter } from './adapter.js';
import { AnswerRecorder } from './fixtures/answer-recorder.js';
import { DispatchBench, stream } from './fixtures/dispatch-bench.js';
import { HttpLoop } from './fixtures/http-loop.js';

const EVENT = 'data: {"choices":[{}]}\n\n';

let bench: DispatchBench;
let loop: HttpLoop;
let driver: Adapter;
let programs: ChildProgram[];
let seen: unknown[];
let closed: () => number;
let providerUrl: string;
let finish: () => void;
beforeEach(async () => {
  loop = new HttpLoop();
  programs = [];
  bench = new DispatchBench(() => driver);
  const provider = await bench.servers.add('a', (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write(EVENT);
    finish = () => response.end('data: [DONE]\n\n');
  });
  [seen, closed, providerUrl] = [provider.seen, provider.closed, provider.upstream.baseUrl];
});
afterEach(async () => {
  await Promise.all(programs.map((program) => program.end('SIGKILL')));
  await loop.close();
  await bench.close();
});

async function startAdapter(): Promise<{ program: ChildProgram; url: string }> {
  const program = new ChildProgram({ main: 'libs/adapter-kit/dist/fixtures/adapter-process.js', args: [providerUrl], env: {}, typed: true });
  programs.push(program);
  const [, port] = await program.printed(/listening on (\d+)/, 10_000);
  return { program, url: `http://127.0.0.1:${port}` };
}

describe('an adapter process', () => {
  it('that is killed in the middle of a stream fails it, cancels it at the provider, and is left for the other one', async () => {
    const [one, two] = await Promise.all([startAdapter(), startAdapter()]);
    driver = loop.adapterTo([one.url, two.url]);
    bench.send([], { head: stream });
    await bench.until(() => bench.recorder.bytes > 0);
    await one.program.end('SIGKILL');
    await bench.ended();
    expect([bench.recorder.calls, bench.recorder.text]).toEqual([['head', 'data', 'failure'], EVENT]);
    expect(bench.recorder.failure).toMatchObject({ code: 'upstream_failed', sent: true, upstreamId: 'upstream-a' });
    await bench.until(() => closed() === 1);
    for (let request = 0; request < 4; request++) {
      bench.recorder = new AnswerRecorder();
      bench.send([], { head: stream });
      await bench.until(() => bench.recorder.bytes > 0);
      finish();
      await bench.ended();
      expect(bench.recorder.calls).toEqual(['head', 'data', 'end']);
    }
    expect(seen).toHaveLength(5);
  });

  it.each([
    ['before the head', false, ['failure'], undefined],
    ['in the middle of a stream', true, ['head', 'data', 'failure'], 'upstream-a'],
  ])('that is frozen %s is noticed after the time that its answer may take', async (_title, begun, calls, upstreamId) => {
    const { program, url } = await startAdapter();
    driver = loop.adapterTo([url], { silenceTimeoutMs: 1_000, idleTimeoutMs: 1_000 });
    if (!begun) program.child.kill('SIGSTOP');
    const sentAtMs = performance.now();
    bench.send([], { head: stream });
    if (begun) {
      await bench.until(() => bench.recorder.bytes > 0);
      program.child.kill('SIGSTOP');
    }
    await bench.ended();
    const tookMs = performance.now() - sentAtMs;
    expect(bench.recorder.calls).toEqual(calls);
    expect(bench.recorder.failure).toMatchObject({ code: 'upstream_timeout', sent: true, upstreamId });
    expect(tookMs).toBeGreaterThan(900);
  });

  it('that is frozen rests: the next requests go to the other one at once', async () => {
    const [one, two] = await Promise.all([startAdapter(), startAdapter()]);
    driver = loop.adapterTo([one.url, two.url], { silenceTimeoutMs: 1_000, idleTimeoutMs: 10_000 });
    one.program.child.kill('SIGSTOP');
    bench.send([], { head: stream });
    await bench.ended();
    expect(bench.recorder.failure).toMatchObject({ code: 'upstream_timeout', sent: true });
    for (let request = 0; request < 4; request++) {
      bench.recorder = new AnswerRecorder();
      bench.send([], { head: stream });
      await bench.until(() => bench.recorder.bytes > 0);
      finish();
      await bench.ended();
      expect(bench.recorder.calls).toEqual(['head', 'data', 'end']);
    }
    expect(seen).toHaveLength(4);
  });

  it('that is told to stop ends its streams first, and exits 0', async () => {
    const { program, url } = await startAdapter();
    driver = loop.adapterTo([url]);
    bench.send([], { head: stream });
    await bench.until(() => bench.recorder.bytes > 0);
    const [running] = [bench.recorder, program.child.kill('SIGTERM')];
    await bench.until(() => {
      // A request before the signal has arrived is served.
      if (bench.recorder === running || bench.recorder.head) {
        bench.recorder = new AnswerRecorder();
        bench.send([], { head: stream });
      }
      return bench.recorder.failure?.code === 'not_ready';
    });
    expect([running.done, program.running]).toEqual([false, true]);
    finish();
    await loop.client.close();
    expect(await program.exited).toEqual({ code: 0, signal: null });
  });
});

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Upstream } from '@tokone/account-client';
import type { UpstreamMetrics } from '@tokone/telemetry';
import { DispatchBench, good, goodStream, status, stream } from './fixtures/dispatch-bench.js';
import type { Sending } from './fixtures/dispatch-bench.js';
import type { Answering } from './fixtures/provider-servers.js';

let bench: DispatchBench;
let told: string[];
const metrics: UpstreamMetrics = {
  firstByte: (model) => void told.push(`${model} first byte`),
  ended: (model, outcome) => void told.push(`${model} ${outcome}`),
  failedOver: () => void told.push('failed over'),
};
beforeEach(() => {
  bench = new DispatchBench();
  told = [];
});
afterEach(() => bench.close());

async function measured(upstreams: readonly Upstream[], sending: Sending = {}): Promise<string[]> {
  bench.send(upstreams, { ...sending, metrics });
  await bench.ended();
  return told;
}

async function upstreamWith(answering: Answering): Promise<Upstream> {
  return (await bench.servers.add('one', answering)).upstream;
}

const errorStream: Answering = (response) => response.writeHead(200, { 'content-type': 'text/event-stream' }).end('event: error\ndata: {"error":{"type":"overloaded_error"}}\n\n');

describe('the attempts of a dispatch', () => {
  it('are told by the first bytes and the end of a good answer', async () => {
    expect(await measured([await upstreamWith(good)])).toEqual(['m first byte', 'm whole']);
  });

  it('are told of a stream, whose head is kept back while there is another upstream', async () => {
    const other = await bench.servers.add('other', goodStream);
    expect(await measured([await upstreamWith(goodStream), other.upstream], { head: stream })).toEqual(['m first byte', 'm whole']);
  });

  it.each([
    [400, 'refused'],
    [429, 'rate_limited'],
    [529, 'overloaded'],
    [500, 'server_error'],
    [401, 'unauthorized'],
  ])('are told of an answer with status %i that is passed on', async (code, outcome) => {
    expect(await measured([await upstreamWith(status(code))])).toEqual([`m ${outcome}`]);
  });

  it('are told each, where one fails over to another', async () => {
    const fine = await bench.servers.add('fine', good);
    const absent = await bench.servers.addAbsent('absent');
    expect(await measured([await upstreamWith(status(503)), absent, fine.upstream])).toEqual(['m overloaded', 'failed over', 'm broken', 'failed over', 'm first byte', 'm whole']);
  });

  it('are told of an error that comes as the first event of a stream', async () => {
    const fine = await bench.servers.add('fine', goodStream);
    expect(await measured([await upstreamWith(errorStream), fine.upstream], { head: stream })).toEqual(['m error_event', 'failed over', 'm first byte', 'm whole']);
  });

  it('are told of a provider that says nothing, and of one that cannot be metered', async () => {
    expect(await measured([await upstreamWith(() => undefined)], { silenceMs: 100 })).toEqual(['m timeout']);
    told = [];
    bench = Object.assign(bench, { recorder: new (bench.recorder.constructor as new () => typeof bench.recorder)() });
    const packed = await bench.servers.add('packed', (response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('x'));
    expect(await measured([packed.upstream])).toEqual(['m broken']);
  });

  it('are told of a request that its gateway gave up', async () => {
    const upstream = await upstreamWith(() => undefined);
    const running = bench.send([upstream], { metrics });
    await new Promise((resolve) => setImmediate(resolve));
    running.abort();
    expect(told).toEqual(['m cancelled']);
  });

  it('are none where there is no upstream', async () => {
    expect(await measured([])).toEqual([]);
  });
});

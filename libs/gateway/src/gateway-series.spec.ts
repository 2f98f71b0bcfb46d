import { once } from 'node:events';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startSimulator } from '@tokone/simulator';
import { METRICS, MetricRegistry, metricsOf, seriesBoundOf } from '@tokone/telemetry';
import { makeTemporaryFolder, waitFor } from '@tokone/testing';
import type { TemporaryFolder } from '@tokone/testing';
import { ACCOUNT, GROUP, GatewayBench, KEY, RECORD, chat } from './fixtures/gateway-bench.js';

const VARIETY = 1_000;
/** Requests that are on their way at a time. */
const AT_ONCE = 20;
/** Whatever callers do: what the table allows a gateway that hosts its adapters. */
const BOUND = metricsOf(['gateway', 'adapter']).reduce((sum, name) => sum + seriesBoundOf(METRICS[name]), 0);
/** What these callers can reach of it: some routes, each with a few causes. */
const REACHED = 600;

let folder: TemporaryFolder;
let simulator: Awaited<ReturnType<typeof startSimulator>>;
let bench: GatewayBench;
let registry: MetricRegistry;
beforeAll(async () => {
  folder = await makeTemporaryFolder('gateway-series');
  simulator = await startSimulator({ chunkDelayMs: 0 });
  registry = new MetricRegistry(['gateway', 'adapter']);
  bench = Object.assign(new GatewayBench(folder, simulator.url, Date.now), { registry });
  await bench.open();
});
afterAll(async () => {
  await bench.close();
  await simulator.close();
  await folder.remove();
});

interface HostileRequest {
  method?: string;
  path?: string;
  headers?: Record<string, string>;
  body?: string;
}

async function send({ method = 'POST', path = '/v1/chat/completions', headers = {}, body }: HostileRequest): Promise<void> {
  const { port } = bench.server.address() as AddressInfo;
  const request = httpRequest({ port, host: '127.0.0.1', method, path, headers });
  request.end(body);
  const [answer] = (await once(request, 'response')) as [NodeJS.ReadableStream];
  answer.resume();
  await once(answer, 'end');
}

async function sendAll(requestOf: (number: number) => HostileRequest): Promise<void> {
  const numbers = Array.from({ length: VARIETY }, (_, number) => number).values();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const number of numbers) await send(requestOf(number));
    }),
  );
}

/** Not JSON: a caller may say anything. */
async function sendGarbage(number: number): Promise<void> {
  const socket = connect((bench.server.address() as AddressInfo).port, '127.0.0.1');
  socket.end(`GARBAGE${number} / nonsense-${number}\r\n\r\n`);
  socket.resume();
  await once(socket, 'close');
}

const series = (text: string): string[] => text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
const bearer = (key: string): Record<string, string> => ({ authorization: `Bearer ${key}`, 'content-type': 'application/json' });
const total = (text: string, pattern: RegExp): number => series(text).filter((line) => pattern.test(line)).reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);

describe('the metrics of a gateway whose callers try everything', () => {
  it('have a bounded number of series, in which nothing of a caller stands', async () => {
    await sendAll((number) => ({ headers: bearer(KEY), body: JSON.stringify(chat('x', { model: `hostile-model-${number}` })) }));
    await sendAll((number) => ({ headers: bearer(`sk-hostile-key-${number}`), body: '{}' }));
    await sendAll((number) => ({ method: 'GET', path: `/hostile-path-${number}/v1/models/hostile-model-${number}?hostile-query-${number}=1`, headers: { 'user-agent': `hostile-agent-${number}` } }));
    await sendAll((number) => ({ method: ['PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'PURGE', 'LINK'][number % 7] ?? 'PUT', path: `/v1/models/hostile-model-${number}` }));
    await sendAll((number) => ({ path: `/v1beta/models/hostile-model-${number}:${number % 2 === 0 ? 'generateContent' : 'streamGenerateContent'}`, headers: { 'x-goog-api-key': KEY } }));
    for (let number = 0; number < 50; number++) await sendGarbage(number);
    await bench.call(chat('Reply with OK'));
    const ended = async (): Promise<boolean> => total(await registry.text(), /^gw_http_requests_total/) === 5 * VARIETY + 50 + 1;
    await waitFor(ended, { what: 'all requests to be counted', deadlineMs: 10_000 });
    const text = await registry.text();
    expect(text).not.toMatch(/hostile|nonsense|GARBAGE|PROPFIND/i);
    for (const secret of [KEY, ACCOUNT, GROUP, RECORD.keyId]) expect(text).not.toContain(secret);
    expect(text).not.toMatch(/[0-9a-f]{8}-[0-9a-f]{4}-7/);
    expect(series(text).length).toBeLessThan(REACHED);
    expect(REACHED).toBeLessThan(BOUND);
    expect(BOUND).toBeLessThan(20_000);
  }, 60_000);

  it('tell what was asked and what became of it', async () => {
    const text = await registry.text();
    expect(total(text, /^gw_http_requests_total\{route="\/v1\/chat\/completions",code_class="4xx",cause="unknown_model"/)).toBe(VARIETY);
    expect(total(text, /^gw_http_requests_total\{route="\/v1\/chat\/completions",code_class="4xx",cause="invalid_key"/)).toBe(VARIETY);
    expect(total(text, /^gw_http_requests_total\{route="other"/)).toBe(VARIETY);
    expect(total(text, /^gw_http_requests_total\{route="\/v1\/models\/\{model\}"/)).toBe(VARIETY);
    expect(total(text, /^gw_http_requests_total\{route="\/v1beta\/models\/\{model\}:(g|streamG)enerateContent",code_class="4xx"/)).toBe(VARIETY);
    expect(total(text, /^gw_http_requests_total\{route="none",code_class="4xx",cause="malformed_request"/)).toBe(50);
    expect(text).toContain('gw_http_requests_total{route="/v1/chat/completions",code_class="2xx",cause="none"} 1\n');
    expect(text).toContain('upstream_requests_total{provider="openai",model="gpt-5.5",outcome="whole"} 1\n');
    expect(text).toContain('gw_overhead_seconds_count{phase="all"} 1\n');
    expect(text).toContain('gw_admission_total{result="held"} 1\n');
    expect(text).toContain('gw_hold_ratio_count 1\n');
    // The unknown keys, and the first use of the good one by whoever came before its answer.
    expect(total(text, /^gw_key_cache_total\{result="miss"\}/)).toBeGreaterThan(VARIETY);
    expect(total(text, /^gw_key_cache_total\{result="hit"\}/)).toBeGreaterThan(VARIETY);
  });

  it('tell of a stream that breaks off, and of a caller that leaves', async () => {
    await bench.call(chat('[[sim: cut-after=5 chunk-delay-ms=50]]', { stream: true }));
    const socket = connect((bench.server.address() as AddressInfo).port, '127.0.0.1');
    const body = JSON.stringify(chat('[[sim: endless chunk-delay-ms=5]]', { stream: true, max_tokens: 200 }));
    socket.write(`POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n${Object.entries(bearer(KEY)).map(([name, value]) => `${name}: ${value}\r\n`).join('')}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
    await once(socket, 'data');
    socket.destroy();
    const counted = async (): Promise<boolean> => {
      const text = await registry.text();
      return text.includes('cause="client_left"} 1\n') && /gw_inflight\{kind="absent"\} 1/.test(text);
    };
    await waitFor(counted, { what: 'the caller that left', deadlineMs: 10_000 });
    const text = await registry.text();
    expect(text).toContain('gw_http_requests_total{route="/v1/chat/completions",code_class="2xx",cause="upstream_failed"} 1\n');
    expect(text).toContain('gw_stream_abort_total{by="upstream",usage_source="estimated"} 1\n');
  }, 20_000);

  it('tell of what the spool holds and nobody has read', async () => {
    const unacked = async (): Promise<number> => total(await registry.text(), /^gw_usage_unacked /);
    expect(await unacked()).toBeGreaterThan(0);
    expect(total(await registry.text(), /^gw_spool_oldest_seconds /)).toBeGreaterThan(0);
    expect(total(await registry.text(), /^gw_spool_fsync_seconds_count /)).toBeGreaterThan(0);
    bench.spool.release(bench.spool.end);
    await waitFor(async () => (await unacked()) === 0, { what: 'all to be released', deadlineMs: 5_000 });
    expect(total(await registry.text(), /^gw_spool_oldest_seconds /)).toBe(0);
  });
});

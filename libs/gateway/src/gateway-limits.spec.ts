import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ScopedLimits } from '@tokone/account-client';
import { SPOOL_RECORD, readUsageRecorded } from '@tokone/events';
import { startSimulator } from '@tokone/simulator';
import { MetricRegistry } from '@tokone/telemetry';
import { makeTemporaryFolder, waitFor } from '@tokone/testing';
import type { TemporaryFolder } from '@tokone/testing';
import { GatewayBench, RECORD, chat } from './fixtures/gateway-bench.js';

let folder: TemporaryFolder;
let simulator: Awaited<ReturnType<typeof startSimulator>>;
let bench: GatewayBench;

beforeEach(async () => {
  folder = await makeTemporaryFolder('gateway-limits');
  simulator = await startSimulator({ chunkDelayMs: 0 });
  bench = new GatewayBench(folder, simulator.url, Date.now);
});
afterEach(async () => {
  await bench.close();
  await simulator.close();
  await folder.remove();
});

async function limitedTo(limits: Partial<ScopedLimits>): Promise<void> {
  bench.limits = [{ scope: 'key', id: RECORD.keyId, ...limits }];
  await bench.open();
}

async function refusal(body: unknown = chat('x')): Promise<{ status: number; code: string; retryAfter: string | undefined }> {
  const { status, text, headers } = await bench.call(body);
  return { status, code: (JSON.parse(text) as { error: { code: string } }).error.code, retryAfter: headers['retry-after'] };
}

/** The place of the only request that may run is free. */
async function expectFree(): Promise<void> {
  expect((await bench.call(chat('Reply with OK', { max_tokens: 10 }))).status).toBe(200);
}

describe('a gateway with limits', () => {
  it('refuses what is above them, records that, holds nothing for it, and counts it', async () => {
    bench.registry = new MetricRegistry(['gateway', 'adapter']);
    await limitedTo({ requestsPerMinute: 1 });
    await expectFree();
    const refused = await refusal();
    expect(refused).toEqual({ status: 429, code: 'rate_limit_exceeded', retryAfter: expect.stringMatching(/^(60|61)$/) });
    expect(bench.admission.outstanding()).toMatchObject({ held: 0 });
    const events = await waitFor(async () => {
      const { records } = await bench.spool.read(undefined, { records: 100, bytes: 1 << 20, types: [SPOOL_RECORD.refused] });
      return records.length > 0 && records.map(({ payload }) => readUsageRecorded(payload));
    }, { what: 'the refusal in the spool', deadlineMs: 5_000 });
    expect(events).toMatchObject([{ outcome: 'refused', status: 429, errorCode: 'rate_limit_exceeded', grantNanoUsd: 0n }]);
    expect(await bench.registry.text()).toContain('gw_admission_total{result="limited_requests"} 1');
  });

  it('never admits what needs more tokens than a minute has, and says so with a 400', async () => {
    await limitedTo({ tokensPerMinute: 500 });
    expect(await refusal(chat('x', { max_tokens: 501 }))).toEqual({ status: 400, code: 'request_exceeds_limit', retryAfter: undefined });
    expect((await bench.call(chat('Reply with OK', { max_tokens: 300 }))).status).toBe(200);
  });

  it('counts of a stream without an output limit a first step, and then what it used', async () => {
    await limitedTo({ tokensPerMinute: 1_500 });
    const stream = chat('[[sim: input-tokens=10 output-tokens=40]]', { stream: true });
    // The price book bounds it to 1,000 tokens of output: two at a time would be too many, one after the other are not.
    for (let time = 0; time < 3; time++) expect((await bench.call(stream)).whole).toBe(true);
    const running = bench.call(chat('[[sim: input-tokens=10 output-tokens=40 delay-ms=3000]]', { stream: true }));
    await waitFor(() => bench.gateway.running.size > 0, { what: 'the request to run', deadlineMs: 5_000 });
    expect(await refusal(stream)).toMatchObject({ status: 429, code: 'rate_limit_exceeded' });
    expect((await running).whole).toBe(true);
  });

  it.each<[string, string, Record<string, unknown>]>([
    ['was whole', 'Reply with OK', {}],
    ['was a whole stream', 'Tell me something', { stream: true }],
    ['broke in the middle', '[[sim: cut-after=5 chunk-delay-ms=50]]', { stream: true }],
    ['failed at the provider', '[[sim: status=500]]', {}],
    ['was refused by the provider', '[[sim: status=400]]', {}],
  ])('has the place again of an answer that %s', async (_title, prompt, more) => {
    await limitedTo({ concurrentRequests: 1 });
    await bench.call(chat(prompt, more));
    await expectFree();
  });

  it('keeps the place of an answer that is read on for a client who left, until it ends', async () => {
    await limitedTo({ concurrentRequests: 1 });
    const left = bench.callAndLeave(chat('[[sim: output-tokens=60 chunk-tokens=1 chunk-delay-ms=50]]', { stream: true }));
    await left;
    expect(await refusal()).toMatchObject({ status: 429, code: 'rate_limit_exceeded', retryAfter: '1' });
    await waitFor(() => bench.gateway.running.size === 0, { what: 'the answer to be read to its end', deadlineMs: 15_000 });
    await expectFree();
  });

  it('has the place again of a request that could not be recorded', async () => {
    await limitedTo({ concurrentRequests: 1 });
    const append = bench.spool.append.bind(bench.spool);
    bench.spool.append = (type, id, payload) => {
      if (type === SPOOL_RECORD.open) throw new Error('the disk is full');
      append(type, id, payload);
    };
    expect(await refusal()).toMatchObject({ status: 503, code: 'spool_unavailable' });
    bench.spool.append = append;
    await expectFree();
  });
});

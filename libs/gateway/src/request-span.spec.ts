import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SPOOL_RECORD, readUsageRecorded } from '@tokone/events';
import type { UsageRecorded } from '@tokone/events';
import { traceIdOf, traceparentOf } from '@tokone/protocol';
import { startSimulator } from '@tokone/simulator';
import { noTracing } from '@tokone/telemetry';
import type { Tracing } from '@tokone/telemetry';
import { RecordedSpans } from '@tokone/telemetry/recorded-spans';
import type { RecordedSpan } from '@tokone/telemetry/recorded-spans';
import { makeTemporaryFolder, waitFor } from '@tokone/testing';
import type { TemporaryFolder } from '@tokone/testing';
import { GatewayBench, RECORD, chat } from './fixtures/gateway-bench.js';

const SERVER = 'POST /v1/chat/completions';

let folder: TemporaryFolder;
let simulator: Awaited<ReturnType<typeof startSimulator>>;
let bench: GatewayBench;
let tracing: RecordedSpans;

beforeEach(async () => {
  folder = await makeTemporaryFolder('request-span');
  simulator = await startSimulator({ chunkDelayMs: 0 });
  tracing = new RecordedSpans();
  await open(tracing);
});
afterEach(async () => {
  await bench.close();
  await simulator.close();
  await folder.remove();
});

async function open(used: Tracing): Promise<void> {
  bench = Object.assign(new GatewayBench(folder, simulator.url, Date.now), { tracing: used });
  await bench.open();
}

/** The span of a request, once it has ended. */
async function ended(): Promise<RecordedSpan> {
  return waitFor(() => tracing.named(SERVER).find(({ ends }) => ends > 0), { what: 'the end of the span', deadlineMs: 5_000 });
}

async function events(): Promise<UsageRecorded[]> {
  const stored = async (): Promise<UsageRecorded[] | undefined> => {
    const { records } = await bench.spool.read(undefined, { records: 100, bytes: 1 << 20, types: [SPOOL_RECORD.close, SPOOL_RECORD.refused] });
    return records.length > 0 ? records.map(({ payload }) => readUsageRecorded(payload)) : undefined;
  };
  return waitFor(stored, { what: 'a record', deadlineMs: 5_000 });
}

describe('a request that is recorded', () => {
  it('has a span from its head to its end, admission and the attempt below it, and a record that says so', async () => {
    const { headers } = await bench.call(chat('Reply with OK'));
    const span = await ended();
    const requestId = String(headers['x-request-id']);
    expect(span).toMatchObject({ kind: 'server', parent: undefined, traceparent: traceparentOf(requestId).replace(/00$/, '01'), failure: undefined, ends: 1 });
    expect(span.attributes).toMatchObject({ requestId, httpRoute: '/v1/chat/completions', httpStatus: 200, accountId: RECORD.accountId, keyId: RECORD.keyId, requestModel: 'gpt-5.5', requestStream: false, outcome: 'completed', outputTokens: 1, estimated: false });
    expect(tracing.named('reserve')).toEqual([expect.objectContaining({ parent: span.traceparent, attributes: { admission: 'held' }, ends: 1 })]);
    expect(tracing.named('chat gpt-5.5')).toEqual([expect.objectContaining({ kind: 'client', parent: span.traceparent, failure: undefined, ends: 1 })]);
    expect(await events()).toEqual([expect.objectContaining({ id: requestId, traceparent: span.traceparent })]);
  });

  it.each<[string, unknown, { key?: string }, { code: string; status: number }]>([
    ['an unknown key', chat('x'), { key: 'sk-wrong' }, { code: 'invalid_key', status: 401 }],
    ['no JSON', '{', {}, { code: 'invalid_json', status: 400 }],
    ['an unknown model', { ...chat('x'), model: 'a secret as a model' }, {}, { code: 'unknown_model', status: 404 }],
  ])('and refused for %s ends with its refusal, and quotes nothing of the caller', async (_title, body, options, { code, status }) => {
    await bench.call(body, options);
    const span = await ended();
    expect([span.failure, span.attributes.httpStatus, span.ends]).toEqual([code, status, 1]);
    expect(JSON.stringify(tracing.spans)).not.toContain('a secret');
  });

  it('and fails at the provider fails by our code, its attempt by what the provider did', async () => {
    await bench.call(chat('[[sim: status=500]]'));
    expect((await ended()).failure).toBe('upstream_failed');
    expect(tracing.named('chat gpt-5.5')).toEqual([expect.objectContaining({ failure: 'server_error', ends: 1 })]);
  });

  it('and refused for want of balance says what admission said', async () => {
    bench.balanceNanoUsd = 0n;
    await bench.call(chat('x'));
    expect((await ended()).failure).toBe('insufficient_balance');
    expect(tracing.named('reserve')).toEqual([expect.objectContaining({ attributes: { admission: 'insufficient_balance' }, ends: 1 })]);
  });
});

describe('a request that is not recorded', () => {
  it('says in its record that nothing is, under the same trace id', async () => {
    await bench.close();
    await open(noTracing);
    const { headers } = await bench.call(chat('Reply with OK'));
    const requestId = String(headers['x-request-id']);
    expect(await events()).toEqual([expect.objectContaining({ traceparent: `00-${traceIdOf(requestId)}-${traceIdOf(requestId).slice(16)}-00` })]);
    expect(tracing.spans).toEqual([]);
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { OtlpReceiver } from '@tokone/telemetry/otlp-receiver';
import type { ReceivedSpan } from '@tokone/telemetry/otlp-receiver';
import { chooseFreePort, testedShape, waitFor } from '@tokone/testing';
import OpenAI from 'openai';
import { Deployment } from '../../fixtures/deployment.js';

const WHOLE_DEADLINE_MS = 30_000;
/** Two seconds for each process, and in services they stop in four steps. */
const STOP_DEADLINE_MS = 25_000;
const TENANTS_TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';

const inServices = testedShape() === 'services';
/** Which process records a span. */
const service = (name: string): string => (inServices ? name : 'standalone');
const traceIdOf = (requestId: string): string => requestId.replaceAll('-', '');

interface Expected {
  name: string;
  kind: string;
  service: string;
  /** Name of the parent. */
  below: string | undefined;
}

const SERVER = 'POST /v1/chat/completions';
const WHOLE_TRACE: readonly Expected[] = [
  { name: SERVER, kind: 'server', service: service('gateway'), below: undefined },
  { name: 'reserve', kind: 'internal', service: service('gateway'), below: SERVER },
  { name: 'chat gpt-5.5', kind: 'client', service: service('openai-adapter'), below: SERVER },
  ...(inServices ? [{ name: 'send usage.recorded', kind: 'producer', service: 'gateway', below: SERVER }] : []),
  { name: 'rate usage', kind: 'consumer', service: service('billing'), below: SERVER },
  { name: 'post charge', kind: 'consumer', service: service('account'), below: 'rate usage' },
];

function asExpected(spans: readonly ReceivedSpan[]): Expected[] {
  const order = (name: string): number => WHOLE_TRACE.findIndex((expected) => expected.name === name);
  const nameOf = (spanId: string): string | undefined => spans.find((span) => span.spanId === spanId)?.name ?? (spanId === '' ? undefined : `unknown ${spanId}`);
  return spans.map(({ name, kind, service: recordedBy, parentSpanId }) => ({ name, kind, service: recordedBy, below: nameOf(parentSpanId) })).sort((a, b) => order(a.name) - order(b.name));
}

function clientOf(deployment: Deployment): OpenAI {
  return new OpenAI({ apiKey: deployment.keys.openai, baseURL: `${deployment.baseUrl}/v1`, maxRetries: 0 });
}

const ask = (content: string) => ({ model: 'gpt-5.5', messages: [{ role: 'user' as const, content }] });

describe('a recorded request', () => {
  let receiver: OtlpReceiver;
  let deployment: Deployment;

  beforeAll(async () => {
    receiver = await OtlpReceiver.start();
    deployment = await Deployment.start({ ...receiver.settings, OTEL_TRACES_SAMPLER: 'parentbased_always_on' });
  });
  afterAll(async () => {
    try {
      expect(await deployment.moneyFaults()).toEqual([]);
    } finally {
      await deployment.close();
      await receiver.close();
    }
  });

  /** The trace of a request, once it has a span of each of these names. */
  async function traceWith(requestId: string, ...names: string[]): Promise<ReceivedSpan[]> {
    const traceId = traceIdOf(requestId);
    const whole = (): boolean => names.every((name) => receiver.trace(traceId).some((span) => span.name === name));
    await waitFor(whole, { what: `${names.join(', ')} in the trace of ${requestId}`, deadlineMs: WHOLE_DEADLINE_MS }).catch((error: unknown) => {
      throw new Error(`${String(error)}; it has ${JSON.stringify(asExpected(receiver.trace(traceId)))}`);
    });
    return receiver.trace(traceId);
  }

  it.each([false, true])('is one trace from the client to the ledger, under its own id (streamed: %s)', async (stream) => {
    const { request_id: requestId, data } = await clientOf(deployment).chat.completions.create({ ...ask('Tell me about routers'), stream }).withResponse();
    if (Symbol.asyncIterator in data) for await (const chunk of data) void chunk;
    const spans = await traceWith(String(requestId), ...WHOLE_TRACE.map(({ name }) => name));
    expect(asExpected(spans)).toEqual(WHOLE_TRACE);
    const row = await deployment.usageRow(String(requestId));
    const named = Object.fromEntries(spans.map((span) => [span.name, span]));
    expect(named[SERVER]?.attributes).toMatchObject({
      'http.route': '/v1/chat/completions',
      'http.response.status_code': 200,
      'gen_ai.operation.name': 'chat',
      'gen_ai.request.model': 'gpt-5.5',
      'gen_ai.request.stream': stream,
      'gen_ai.usage.input_tokens': expect.any(Number),
      'gen_ai.usage.output_tokens': expect.any(Number),
      'tokone.request.id': requestId,
      'tokone.outcome': 'completed',
      'tokone.granted_nano_usd': row.charge,
    });
    expect(named['chat gpt-5.5']?.attributes).toMatchObject({ 'gen_ai.provider.name': 'openai', 'http.response.status_code': 200, 'server.address': '127.0.0.1', 'server.port': Number(new URL(deployment.recorder.url).port), 'tokone.upstream.attempt': 1 });
    expect(named['post charge']?.attributes).toMatchObject({ 'tokone.request.id': requestId });
    expect(spans.filter(({ failed }) => failed)).toEqual([]);
    for (const { startNano, endNano } of spans) expect(endNano >= startNano).toBe(true);
  });

  it('of another dialect names its provider', async () => {
    const answer = await deployment.call('anthropic', '/v1/messages', { body: { model: 'claude-sonnet-4-6', max_tokens: 100, messages: [{ role: 'user', content: 'Tell me about routers' }] } });
    const spans = await traceWith(String(answer.headers['x-request-id']), 'chat claude-sonnet-4-6', 'post charge');
    expect(spans.find(({ kind }) => kind === 'client')).toMatchObject({ name: 'chat claude-sonnet-4-6', attributes: { 'gen_ai.provider.name': 'anthropic' } });
  });

  it('links the trace that the tenant began, and does not continue it', async () => {
    const answer = await deployment.call('openai', '/v1/chat/completions', { headers: { traceparent: `00-${TENANTS_TRACE}-00f067aa0ba902b7-01` }, body: ask('hello') });
    const spans = await traceWith(String(answer.headers['x-request-id']), SERVER, 'post charge');
    expect(spans.find(({ name }) => name === SERVER)?.links).toEqual([TENANTS_TRACE]);
    expect(receiver.trace(TENANTS_TRACE)).toEqual([]);
    expect(deployment.recorder.calls.filter(({ headers }) => 'traceparent' in headers)).toEqual([]);
  });

  it('that is refused or fails says why, and never what was asked', async () => {
    const refused = await deployment.call('openai', '/v1/chat/completions', { headers: { authorization: 'Bearer sk-none' }, body: ask('a secret question') });
    const refusal = await traceWith(String(refused.headers['x-request-id']), SERVER);
    expect(refusal).toEqual([expect.objectContaining({ failed: true, attributes: expect.objectContaining({ 'error.type': 'invalid_key', 'http.response.status_code': 401 }) })]);
    const failed = await deployment.call('openai', '/v1/chat/completions', { body: ask('[[sim: status=500]] a secret question') });
    const failure = await traceWith(String(failed.headers['x-request-id']), SERVER, 'chat gpt-5.5', 'rate usage');
    expect(failure.find(({ kind }) => kind === 'client')).toMatchObject({ failed: true, attributes: { 'error.type': 'server_error', 'http.response.status_code': 500 } });
    expect(failure.find(({ name }) => name === SERVER)).toMatchObject({ failed: true });
    expect(receiver.texts.join('\n')).not.toContain('secret question');
  });
});

describe('a request that is not recorded', () => {
  it('has no span in any service, though its record carries its trace id', async () => {
    const receiver = await OtlpReceiver.start();
    const deployment = await Deployment.start({ ...receiver.settings, OTEL_TRACES_SAMPLER_ARG: '0' });
    try {
      const answer = await deployment.call('openai', '/v1/chat/completions', { headers: { traceparent: `00-${TENANTS_TRACE}-00f067aa0ba902b7-01` }, body: ask('hello') });
      expect(answer.status).toBe(200);
      await deployment.usageRow(String(answer.headers['x-request-id']));
      expect(await deployment.moneyFaults()).toEqual([]);
    } finally {
      expect(await deployment.close()).toBe(0);
      await receiver.close();
    }
    // All processes have ended, and with them handed over what they had.
    expect(receiver.spans).toEqual([]);
  });
});

describe('a receiver', () => {
  it.each(['hangs', 'is away'])('that %s delays neither an answer nor the stop', async (how) => {
    const receiver = how === 'hangs' ? await OtlpReceiver.start({ hangs: true }) : undefined;
    const settings = receiver?.settings ?? { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${await chooseFreePort()}` };
    const deployment = await Deployment.start({ ...settings, OTEL_TRACES_SAMPLER: 'always_on' });
    let stoppedMs = Number.POSITIVE_INFINITY;
    try {
      const answers = await Promise.all(Array.from({ length: 20 }, () => deployment.call('openai', '/v1/chat/completions', { body: ask('hello') })));
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
      if (receiver) await waitFor(() => receiver.requests > 0, { what: 'spans to be sent', deadlineMs: 10_000 });
      expect(await deployment.moneyFaults()).toEqual([]);
    } finally {
      const startedAtMs = performance.now();
      expect(await deployment.close()).toBe(0);
      stoppedMs = performance.now() - startedAtMs;
      await receiver?.close();
    }
    expect(stoppedMs).toBeLessThan(STOP_DEADLINE_MS);
  });
});

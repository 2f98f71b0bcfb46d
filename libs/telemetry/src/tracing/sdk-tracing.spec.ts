import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Uuid7Source, traceIdOf, traceparentOf } from '@tokone/protocol';
import { silentLogger } from '../logger.js';
import { OtlpReceiver } from './fixtures/otlp-receiver.js';
import { until } from './fixtures/until.js';
import { SdkTracing } from './sdk-tracing.js';
import type { TracingOptions } from './start-tracing.js';
import type { SpanStart } from './tracing.js';

const REQUEST: SpanStart = { name: 'POST /v1/messages', kind: 'server' };
const PART: SpanStart = { name: 'reserve', kind: 'internal' };

let receiver: OtlpReceiver;
let tracing: SdkTracing;
let lost: number;
let warnings: string[];
const ids = new Uuid7Source(() => 1_767_225_600_000);
/** Trace context of a request whose first span is recorded. */
const recorded = (requestId: string): string => traceparentOf(requestId).replace(/00$/, '01');

beforeEach(async () => {
  receiver = await OtlpReceiver.start();
  lost = 0;
  warnings = [];
});
afterEach(async () => {
  await tracing.close();
  await receiver.close();
});

function open(options: Partial<TracingOptions> = {}): SdkTracing {
  const logger = { ...silentLogger, warn: (_fields: unknown, message: string) => void warnings.push(message), info: (_fields: unknown, message: string) => void warnings.push(message) };
  return (tracing = new SdkTracing({ service: 'gateway', protocol: 'http/json', sampler: 'parentbased_always_on', ratio: 1, logger, onLost: (spans) => void (lost += spans), ...options, endpoint: options.endpoint ?? receiver.url }));
}

async function received(): Promise<OtlpReceiver['spans']> {
  await tracing.close();
  return receiver.spans;
}

describe('a trace', () => {
  it('has the id of its request, and so has its first span, so that nobody has to carry them', async () => {
    const requestId = ids.next();
    const span = open().startRequest(requestId, REQUEST);
    expect(span?.traceparent).toBe(recorded(requestId));
    tracing.startSpan(span?.traceparent, PART)?.end();
    tracing.startSpan(recorded(requestId), { name: 'rate usage', kind: 'consumer' })?.end();
    span?.end();
    const [first, second, third] = (await received()).sort((a, b) => b.name.localeCompare(a.name));
    expect([first, second, third].map((each) => each?.traceId)).toEqual(Array.from({ length: 3 }, () => traceIdOf(requestId)));
    expect(third).toMatchObject({ name: 'POST /v1/messages', kind: 'server', parentSpanId: '', spanId: traceIdOf(requestId).slice(16) });
    for (const child of [first, second]) expect(child?.parentSpanId).toBe(third?.spanId);
    expect(first?.spanId).not.toBe(second?.spanId);
  });

  it('says what its spans were told, under the names of the conventions, and which process it was', async () => {
    const span = open({ service: 'billing' }).startRequest(ids.next(), { ...REQUEST, attributes: { httpRoute: '/v1/messages', accountId: undefined } });
    span?.set({ inputTokens: 12, requestStream: true, responseId: undefined });
    span?.link('00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00');
    for (const garbage of ['', 'x', '00-00000000000000000000000000000000-00f067aa0ba902b7-01']) span?.link(garbage);
    span?.fail('upstream_failed');
    span?.end();
    expect(await received()).toEqual([expect.objectContaining({ service: 'billing', failed: true, links: ['4bf92f3577b34da6a3ce929d0e0e4736'], attributes: { 'http.route': '/v1/messages', 'gen_ai.usage.input_tokens': 12, 'gen_ai.request.stream': true, 'error.type': 'upstream_failed' } })]);
    expect(receiver.texts[0]).toContain('"service.namespace"');
  });

  it('goes out as protobuf unless it is told otherwise', async () => {
    const types: unknown[] = [];
    const server: Server = createServer((request, response) => {
      types.push([request.url, request.headers['content-type']]);
      request.resume().on('end', () => response.end());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    open({ protocol: 'http/protobuf', endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` }).startRequest(ids.next(), REQUEST)?.end();
    await tracing.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    expect(types).toEqual([['/v1/traces', 'application/x-protobuf']]);
  });
});

describe('what is recorded', () => {
  it('is decided at the begin of a request, by its id, at the share that was asked for', () => {
    open({ sampler: 'parentbased_traceidratio', ratio: 0.25 });
    const requests = Array.from({ length: 4_000 }, () => ids.next());
    const chosen = requests.filter((requestId) => tracing.startRequest(requestId, REQUEST) !== undefined);
    // Six standard deviations of a binomial distribution on either side.
    expect(Math.abs(chosen.length - 1_000)).toBeLessThan(165);
    expect(requests.filter((requestId) => tracing.startRequest(requestId, REQUEST) !== undefined)).toEqual(chosen);
  });

  it('is, in a service further on, what the flag says, whatever the share there', () => {
    open({ sampler: 'parentbased_traceidratio', ratio: 0 });
    const requestId = ids.next();
    expect(tracing.startRequest(requestId, REQUEST)).toBeUndefined();
    expect(tracing.startSpan(recorded(requestId), PART)?.traceparent).toMatch(new RegExp(`^00-${traceIdOf(requestId)}-[0-9a-f]{16}-01$`));
  });

  it.each([undefined, null, '', 'nonsense', traceparentOf('01940000-0000-7000-8000-000000000001')])('is nothing below %s', (parent) => {
    expect(open({ sampler: 'always_on' }).startSpan(parent, PART)).toBeUndefined();
  });

  it.each([['always_off', undefined], ['parentbased_always_off', undefined], ['traceidratio', undefined], ['always_on', expect.anything()], ['parentbased_always_on', expect.anything()]] as const)('is what the sampler %s says', (sampler, wanted) => {
    expect(open({ sampler, ratio: 0 }).startRequest(ids.next(), REQUEST)).toEqual(wanted);
  });
});

describe('a receiver', () => {
  it('that hangs is waited for at the end, for two seconds and no longer, and the loss is told', async () => {
    const hanging = await OtlpReceiver.start({ hangs: true });
    open({ endpoint: hanging.url });
    for (let span = 0; span < 3; span++) tracing.startRequest(ids.next(), REQUEST)?.end();
    const startedAtMs = performance.now();
    await tracing.close();
    expect(performance.now() - startedAtMs).toBeLessThan(4_000);
    expect([hanging.requests, lost, warnings]).toEqual([1, 3, ['spans were not received before the end, and are lost']]);
    await hanging.close();
  });

  it('that is away costs spans, one line, and nothing else; the line comes again only after it was back', async () => {
    let status = 400;
    const server: Server = createServer((request, response) => void request.resume().on('end', () => response.writeHead(status).end('{}')));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    open({ endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
    const sent = async (told: () => boolean): Promise<void> => {
      tracing.startRequest(ids.next(), REQUEST)?.end();
      await until(told);
    };
    await sent(() => lost === 1);
    await sent(() => lost === 2);
    status = 200;
    await sent(() => warnings.length === 2);
    expect(warnings).toEqual(['spans are not received, and are lost until they are; nothing else is', 'spans are received again']);
    await tracing.close();
    expect(lost).toBe(2);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it('that nobody listens for does not keep a process either', async () => {
    const gone = await OtlpReceiver.start();
    const endpoint = gone.url;
    await gone.close();
    open({ endpoint }).startRequest(ids.next(), REQUEST)?.end();
    await tracing.close();
    expect(lost).toBe(1);
  });
});

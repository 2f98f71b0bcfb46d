import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@tokone/testing';
import type { ClientCall } from '../fixtures/client-call.js';
import { MIXED, QUICK } from '../fixtures/load.js';
import type { Load, Shape } from '../fixtures/load.js';
import { SeededRandom } from '../fixtures/seeded-random.js';
import { PipelineEnds } from '../fixtures/pipeline-ends.js';
import { isBroken, isTurnedAway } from '../fixtures/failed-calls.js';
import { CLEAN, FEWER_PROCESSES, ServicesDeployment } from '../fixtures/services-deployment.js';

const CLIENTS = 16;
/** A request takes a second, so that so many clients send so many requests in each. */
const REQUESTS_PER_SECOND = 100;
/** A call of a second takes a little longer. */
const ONE_SECOND_CLIENTS = 1.25 * REQUESTS_PER_SECOND;
const ONE_SECOND: Shape = { streamed: false, directives: (random) => `output-tokens=${random.integer(1, 60)} delay-ms=900` };
const AWAY_MS = 60_000;
/** What the requests of that minute write, and a little more. */
const SPOOL_LIMIT_BYTES = 16_000_000;
const DEADLINE_MS = 90_000;
const USAGE_TOPIC = 'usage.recorded';
const PRODUCE_KEY = 0;

const random = SeededRandom.ofRun();
let deployment: ServicesDeployment;
let ends: PipelineEnds;
beforeAll(async () => {
  deployment = await ServicesDeployment.create({ random, servers: { kafka: { proxied: true } }, env: { ...FEWER_PROCESSES, TOKONE_SPOOL_LIMIT_BYTES: String(SPOOL_LIMIT_BYTES) } });
  ends = new PipelineEnds(deployment.services.kafka);
}, 400_000);
afterEach(() => deployment?.endLoads());
afterAll(async () => {
  process.stderr.write(`faults of Kafka, seed ${random.seed}: ${JSON.stringify({ requests: deployment?.calls.length })}\n`);
  await deployment?.dispose();
}, 240_000);

/** Requests to Kafka that bring usage. */
function bringsUsage(request: Buffer): boolean {
  return request.length > 6 && request.readInt16BE(4) === PRODUCE_KEY && request.includes(USAGE_TOPIC);
}

async function startLoad(): Promise<Load> {
  const load = deployment.startLoad({ clients: CLIENTS, shapes: MIXED });
  await deployment.ended(load, random.integer(30, 60));
  return load;
}

/** Events that stand in Kafka more than once. */
async function countDuplicates(): Promise<number> {
  const ids = (await ends.messages(USAGE_TOPIC)).map(({ text }) => (JSON.parse(text) as { id: string }).id);
  return ids.length - new Set(ids).size;
}

describe('the only broker', () => {
  it('K8: stores usage and its acknowledgement is lost until the producer gives up: the event stands there twice and is charged once', async () => {
    const load = await startLoad();
    const proxy = deployment.servers.proxy();
    const complaints = () => deployment.services.program.stderr.split('usage could not be shipped').length;
    const before = complaints();
    proxy.dropAnswers({ to: bringsUsage });
    await waitFor(() => complaints() > before, { what: 'the producer to give up', deadlineMs: DEADLINE_MS });
    proxy.heal();
    await deployment.served(load, CLIENTS);
    expect(await deployment.verdict(load, [])).toEqual(CLEAN);
    expect(await countDuplicates()).toBeGreaterThan(0);
  }, 240_000);

  it('K8: stores usage and the gateway is killed before it hears of that: what is sent again is charged once', async () => {
    const load = await startLoad();
    const proxy = deployment.servers.proxy();
    const before = await countDuplicates();
    const lostBefore = proxy.lostAnswers;
    proxy.dropAnswers({ to: bringsUsage });
    // Kafka answers when it has stored what it was brought.
    await waitFor(() => proxy.lostAnswers > lostBefore, { what: 'usage to be stored', deadlineMs: DEADLINE_MS, intervalMs: 1 });
    const { evidence, ...outage } = await killWhileMuted();
    await deployment.served(load, CLIENTS);
    expect(evidence.closed.size).toBeGreaterThan(0);
    expect(await deployment.verdict(load, [{ ...outage, of: (call) => isBroken(call) || isTurnedAway(call) }])).toEqual(CLEAN);
    expect(await countDuplicates()).toBeGreaterThan(before);
  }, 240_000);

  it('K16: is killed and started again under load: nobody is refused, and everything is charged', async () => {
    const load = await startLoad();
    const [broker] = deployment.servers.kafka.brokers;
    await broker?.kill();
    await deployment.ended(load, 2 * CLIENTS);
    await broker?.start();
    await deployment.served(load, CLIENTS);
    expect(await deployment.verdict(load, [])).toEqual(CLEAN);
  }, 240_000);

  it(`K16: is away for ${AWAY_MS / 1000} s at ${REQUESTS_PER_SECOND} requests/s, all served; beyond the spool's high water new ones are 503 with Retry-After, until it has drained`, async () => {
    const load = deployment.startLoad({ clients: ONE_SECOND_CLIENTS, shapes: [ONE_SECOND] });
    await deployment.ended(load, REQUESTS_PER_SECOND);
    const [broker] = deployment.servers.kafka.brokers;
    const fromMs = performance.now();
    await broker?.kill();
    await waitFor(() => performance.now() - fromMs > AWAY_MS, { what: 'a minute', deadlineMs: 2 * AWAY_MS });
    const inTheMinute = load.calls.filter(({ startedAtMs, running }) => startedAtMs > fromMs && !running);
    const more = deployment.startLoad({ clients: REQUESTS_PER_SECOND, shapes: QUICK });
    const refused = () => [...load.calls, ...more.calls].filter(isTurnedAway);
    await waitFor(() => refused().length >= CLIENTS, { what: 'the high water', deadlineMs: DEADLINE_MS });
    await deployment.endLoad(more);
    await broker?.start();
    await waitFor(async () => (await deployment.services.readiness()).status === 200, { what: 'the spool to drain', deadlineMs: DEADLINE_MS });
    const toMs = performance.now();
    await deployment.served(load, CLIENTS);
    expect(await deployment.verdict(load, [{ fromMs: fromMs + AWAY_MS, toMs, of: asksToComeBack }])).toEqual(CLEAN);
    expect(more.calls.filter((call) => !call.sawEnd && !asksToComeBack(call))).toEqual([]);
    expect(inTheMinute.filter(({ sawEnd }) => !sawEnd)).toEqual([]);
    expect(inTheMinute.length).toBeGreaterThan((AWAY_MS / 1000) * REQUESTS_PER_SECOND * 0.95);
  }, 400_000);
});

/** The gateway goes while the proxy swallows what Kafka tells it; the next one hears everything. */
async function killWhileMuted(): ReturnType<ServicesDeployment['killGateway']> {
  const killed = deployment.killGateway();
  await waitFor(async () => (await deployment.services.services()).every(({ name, processId }) => name !== 'gateway-1' || processId === null), { what: 'the gateway to be gone', deadlineMs: 10_000, intervalMs: 1 }).finally(() => deployment.servers.proxy().heal());
  return killed;
}

function asksToComeBack(call: ClientCall): boolean {
  return isTurnedAway(call) && Number(call.retryAfter) >= 1;
}

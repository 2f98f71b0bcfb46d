import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { ChildProgram } from '@tokone/testing';
import { FaultProxy, waitFor } from '@tokone/testing';
import type { ClientCall } from '../fixtures/client-call.js';
import { Load, MIXED, QUICK } from '../fixtures/load.js';
import type { Shape } from '../fixtures/load.js';
import { SeededRandom } from '../fixtures/seeded-random.js';
import { findInexcusable, isTurnedAway } from '../fixtures/failed-calls.js';
import { publicUrlOf, startAnother } from '../fixtures/own-service.js';
import { standStill } from '../fixtures/process-state.js';
import { CLEAN, FEWER_PROCESSES, ServicesDeployment } from '../fixtures/services-deployment.js';

const CLIENTS = 16;
/** What gateways are given to answer, in this spec's deployment: a dozen processes share two processors. */
const PATIENCE_MS = 500;
/** From empty Redis to serving. */
const OPENED_WITHIN_MS = 5_000;
const STILL_MS = 10_000;
const LINK_DELAY_MS = 50;
const ROUND_TRIP_MS = 2 * LINK_DELAY_MS;
const LOST_SETTLES = 12;
const EVALSHA = /EVALSHA\r\n\$40\r\n([0-9a-f]{40})/gi;
/** A millisecond or so at the provider. */
const AT_ONCE: Shape = { streamed: true, directives: () => 'output-tokens=4 chunk-tokens=2' };

const random = SeededRandom.ofRun();
let deployment: ServicesDeployment;
/** A third gateway, which reaches Redis through the proxy. */
let third: ChildProgram;
let proxy: FaultProxy;
beforeAll(async () => {
  deployment = await ServicesDeployment.create({ random, servers: { redis: true }, gateways: 2, replicas: 1, env: { ...FEWER_PROCESSES, TOKONE_ADMISSION_TIMEOUT_MS: String(PATIENCE_MS) } });
  proxy = await FaultProxy.start({ target: { port: Number(new URL(deployment.servers.redis.url).port) } });
  third = await startAnother(deployment.services, 'gateway-1', { REDIS_URL: `redis://${proxy.address}` });
}, 400_000);
afterEach(async () => {
  proxy?.heal();
  await deployment?.endLoads();
});
afterAll(async () => {
  process.stderr.write(`faults of Redis, seed ${random.seed}: ${JSON.stringify({ requests: deployment?.calls.length })}\n`);
  await third?.end('SIGTERM');
  await proxy?.stop();
  await deployment?.dispose();
}, 240_000);

/** On all three gateways. */
async function startLoads(): Promise<{ two: Load; one: Load }> {
  const two = deployment.startLoad({ clients: CLIENTS, shapes: MIXED });
  const one = deployment.startLoad({ clients: CLIENTS / 2, shapes: MIXED, baseUrl: publicUrlOf(third) });
  await Promise.all([deployment.ended(two, random.integer(30, 60)), deployment.ended(one, random.integer(15, 30))]);
  return { two, one };
}

/** Both loads go on until `calls` more are whole, at each of them. */
async function bothServed({ two, one }: { two: Load; one: Load }, calls: number): Promise<void> {
  await Promise.all([deployment.served(two, calls), deployment.served(one, calls)]);
}

/** Admission could not be asked: 503 with a time to come back, in the caller's dialect. */
function isUnchecked(call: ClientCall): boolean {
  return isTurnedAway(call) && (call.refusal ?? '').includes('The balance cannot be checked') && Number(call.retryAfter) >= 1;
}

async function flush(): Promise<void> {
  const redis = new Redis(deployment.servers.redis.url, { maxRetriesPerRequest: 1 });
  try {
    await redis.flushall();
  } finally {
    redis.disconnect();
  }
}

/** The digest under which Redis knows the script that settles, learned from what the third gateway says for a call of its own. */
async function scriptThatEndsACall(): Promise<string> {
  const said: string[] = [];
  proxy.dropAnswers({ to: (bytes) => (said.push(...[...bytes.toString('latin1').matchAll(EVALSHA)].map(([, digest]) => digest as string)), false) });
  const load = new Load({ random, clients: 1, keys: deployment.tenants, goesOn: true, shapes: [AT_ONCE] });
  load.start(publicUrlOf(third));
  await waitFor(() => load.endedCalls >= 5, { what: 'calls', deadlineMs: 60_000 });
  await deployment.endLoad(load);
  proxy.heal();
  const eachCall = said.filter((digest) => said.filter((other) => other === digest).length >= 5);
  expect(new Set(eachCall).size).toBe(2);
  return eachCall.at(-1) as string;
}

describe('Redis under the load of three gateways', () => {
  it(`K15, F4: loses everything: every tenant is served within ${OPENED_WITHIN_MS / 1000} s, and nobody is charged what he does not owe`, async () => {
    const loads = await startLoads();
    const quick = deployment.startLoad({ clients: 2 * deployment.tenants.length, shapes: QUICK });
    await deployment.ended(quick, CLIENTS);
    const lostMs = performance.now();
    await flush();
    const servedAfterMs = deployment.tenants.map((tenant) => (): number => Math.min(...quick.calls.filter(({ startedAtMs, plan }) => startedAtMs > lostMs && Object.values(tenant).includes(plan.key)).map(({ status, beganAtMs }) => (status === 200 ? beganAtMs - lostMs : Infinity))));
    await waitFor(() => servedAfterMs.every((of) => of() < Infinity), { what: 'every tenant to be served', deadlineMs: 60_000 });
    expect(Math.max(...servedAfterMs.map((of) => of()))).toBeLessThan(OPENED_WITHIN_MS);
    await bothServed(loads, CLIENTS);
    const excuse = { fromMs: lostMs, toMs: lostMs + OPENED_WITHIN_MS, of: isUnchecked };
    for (const load of [quick, loads.one]) {
      await deployment.endLoad(load);
      expect(findInexcusable(load.calls, [excuse])).toEqual([]);
    }
    expect(await deployment.verdict(loads.two, [excuse])).toEqual(CLEAN);
  }, 240_000);

  it('K14: is killed and started again: 503 while it is away, never an unchecked pass; within seconds everybody is served, without a restart', async () => {
    const loads = await startLoads();
    const fromMs = performance.now();
    await deployment.servers.redis.kill();
    await waitFor(() => loads.two.calls.filter((call) => call.startedAtMs > fromMs && isUnchecked(call)).length >= CLIENTS, { what: 'requests to be refused', deadlineMs: 30_000 });
    await deployment.servers.redis.start();
    const backMs = performance.now();
    await bothServed(loads, CLIENTS);
    await deployment.endLoad(loads.one);
    const passed = [...loads.two.calls, ...loads.one.calls].filter(({ startedAtMs, endedAtMs, sawEnd }) => sawEnd && startedAtMs > fromMs + PATIENCE_MS && endedAtMs < backMs);
    expect(passed).toEqual([]);
    const excuse = { fromMs, toMs: backMs + OPENED_WITHIN_MS, of: isUnchecked };
    expect(findInexcusable(loads.one.calls, [excuse])).toEqual([]);
    expect(await deployment.verdict(loads.two, [excuse])).toEqual(CLEAN);
  }, 240_000);

  it(`F3: stands still for ${STILL_MS / 1000} s: what it does not answer in time is 503 and costs nothing`, async () => {
    const loads = await startLoads();
    const { redis } = deployment.servers;
    const still = await standStill({ stop: () => redis.pause(), go: () => redis.resume(), lengthMs: STILL_MS });
    await bothServed(loads, CLIENTS);
    await deployment.endLoad(loads.one);
    expect([...loads.two.calls, ...loads.one.calls].filter(isUnchecked).length).toBeGreaterThan(CLIENTS);
    const excuse = { ...still, toMs: still.toMs + OPENED_WITHIN_MS, of: isUnchecked };
    expect(findInexcusable(loads.one.calls, [excuse])).toEqual([]);
    expect(await deployment.verdict(loads.two, [excuse])).toEqual(CLEAN);
  }, 240_000);

  it('F5: is out of reach for one gateway: that one refuses with 503, the others serve everybody', async () => {
    const loads = await startLoads();
    const cut = await standStill({ stop: () => proxy.pause(), go: () => proxy.heal(), lengthMs: STILL_MS });
    await bothServed(loads, CLIENTS);
    await deployment.endLoad(loads.one);
    expect(loads.one.calls.filter(isUnchecked).length).toBeGreaterThan(0);
    expect(findInexcusable(loads.one.calls, [{ ...cut, toMs: cut.toMs + OPENED_WITHIN_MS, of: isUnchecked }])).toEqual([]);
    expect(await deployment.verdict(loads.two, [])).toEqual(CLEAN);
  }, 240_000);

  it('K7: settles what a gateway asks for, and its answers to that are lost: they end whole, and nobody is charged twice or less', async () => {
    const settle = await scriptThatEndsACall();
    const loads = await startLoads();
    const fromMs = performance.now();
    for (const lost = proxy.lostAnswers + LOST_SETTLES; proxy.lostAnswers < lost; ) {
      const before = proxy.lostAnswers;
      proxy.dropAnswers({ to: (bytes) => bytes.includes(settle), times: 1, afterMs: 10 });
      await waitFor(() => proxy.lostAnswers > before, { what: 'an answer to be lost', deadlineMs: 30_000, intervalMs: 5 });
      await deployment.served(loads.one, 2);
    }
    const excuse = { fromMs, toMs: performance.now() + PATIENCE_MS, of: isUnchecked };
    await bothServed(loads, CLIENTS);
    await deployment.endLoad(loads.one);
    // Those that were being reserved on the same connection are refused; none that ended is.
    expect(findInexcusable(loads.one.calls, [excuse])).toEqual([]);
    expect(await deployment.verdict(loads.two, [])).toEqual(CLEAN);
  }, 240_000);

  it(`F21: is ${LINK_DELAY_MS} ms away for one gateway: an answer begins one round trip later, and ends two later`, async () => {
    const call = async (): Promise<ClientCall> => {
      const load = new Load({ random, clients: 1, keys: deployment.tenants, goesOn: true, shapes: [AT_ONCE] });
      load.start(publicUrlOf(third));
      await waitFor(() => load.endedCalls >= 15, { what: 'calls', deadlineMs: 60_000 });
      await deployment.endLoad(load);
      expect(load.calls.filter(({ sawEnd }) => !sawEnd)).toEqual([]);
      const sorted = [...load.calls].sort((left, right) => left.endedAtMs - left.startedAtMs - (right.endedAtMs - right.startedAtMs));
      return sorted[Math.floor(sorted.length / 2)] as ClientCall;
    };
    const near = await call();
    proxy.delay(LINK_DELAY_MS);
    const far = await call();
    proxy.heal();
    const began = (each: ClientCall): number => each.beganAtMs - each.startedAtMs;
    const ended = (each: ClientCall): number => each.endedAtMs - each.startedAtMs;
    expect(began(far) - began(near)).toBeLessThan(2 * ROUND_TRIP_MS);
    expect(ended(far) - ended(near)).toBeGreaterThan(ROUND_TRIP_MS);
    expect(ended(far) - ended(near)).toBeLessThan(3 * ROUND_TRIP_MS);
    await deployment.settled();
    expect(await deployment.findFaults()).toEqual([]);
  }, 240_000);
});

describe('a gateway among three', () => {
  it('is killed under load: the other two go on, and its spool decides what its requests cost', async () => {
    const loads = await startLoads();
    const { evidence, ...outage } = await deployment.killGateway(2);
    await bothServed(loads, CLIENTS);
    await deployment.endLoad(loads.one);
    expect(evidence.closed.size).toBeGreaterThan(0);
    expect(findInexcusable(loads.one.calls, [])).toEqual([]);
    const cut = ({ status, ended, sawError }: ClientCall): boolean => ended === 'broken' || (status === 503 && sawError);
    expect(await deployment.verdict(loads.two, [{ ...outage, of: cut }])).toEqual(CLEAN);
  }, 240_000);
});

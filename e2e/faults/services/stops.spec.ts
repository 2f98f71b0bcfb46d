import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { cp, mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { waitFor } from '@tokone/testing';
import { LONG_STREAM, Load, MIXED, QUICK, SHORT_STREAM } from '../fixtures/load.js';
import { SeededRandom } from '../fixtures/seeded-random.js';
import { isBroken } from '../fixtures/failed-calls.js';
import { publicUrlOf, startAnother } from '../fixtures/own-service.js';
import { CLEAN, ServicesDeployment } from '../fixtures/services-deployment.js';

const CLIENTS = 16;
/** Longer than the longest answer, so that each may end; and time for the balancer to see who leaves. */
const DRAIN = { TOKONE_DRAIN_SECONDS: '30', TOKONE_SHUTDOWN_DELAY_SECONDS: '2' };
const RESTART_DEADLINE_MS = 120_000;
/** Longer than any account waits for a gateway. */
const SILENT_MS = 7_000;
/** A gateway tells that it lives every second, and hears then that its place is another's. */
const TOLD_WITHIN_MS = 4_000;

const random = SeededRandom.ofRun();
let deployment: ServicesDeployment;
beforeAll(async () => {
  deployment = await ServicesDeployment.create({ random, env: DRAIN, gateways: 2 });
}, 400_000);
afterEach(() => deployment?.endLoads());
afterAll(async () => {
  process.stderr.write(`SIGTERM of services, seed ${random.seed}: ${JSON.stringify({ requests: deployment?.calls.length })}\n`);
  await deployment?.dispose();
}, 240_000);

async function startLoad(): Promise<Load> {
  const load = deployment.startLoad({ clients: CLIENTS, shapes: [LONG_STREAM, ...MIXED, ...QUICK] });
  await deployment.ended(load, random.integer(40, 80));
  return load;
}

async function restart(name: string): Promise<void> {
  const processId = await deployment.services.signal(name, 'SIGTERM');
  await deployment.services.restarted(name, processId, RESTART_DEADLINE_MS);
}

describe('SIGTERM under load', () => {
  it('F22: a rolling restart of all services fails no request, loses nothing and charges nothing twice', async () => {
    const load = await startLoad();
    const services = (await deployment.services.services()).map(({ name }) => name);
    const apps = ['account', 'billing', 'openai-adapter', 'anthropic-adapter', 'gemini-adapter', 'gateway'];
    expect(services.toSorted()).toEqual(apps.flatMap((app) => [`${app}-1`, `${app}-2`]).toSorted());
    // As a cluster does it that was given new images: each service by itself, one of its processes at a time.
    for (const number of [1, 2]) await Promise.all(apps.map((app) => restart(`${app}-${number}`)));
    await deployment.served(load, CLIENTS);
    expect(await deployment.verdict(load, [])).toEqual(CLEAN);
  }, 400_000);
});

describe('another gateway', () => {
  it('K22: serves while the first stands still, which on waking charges what it had answered, once, and goes on', async () => {
    const load = await startLoad();
    const { processId } = await deployment.services.service('gateway-1');
    const other = await startAnother(deployment.services, 'gateway-1');
    const fromMs = performance.now();
    await deployment.services.signal('gateway-1', 'SIGSTOP');
    try {
      const elsewhere = new Load({ random, clients: 4, keys: deployment.tenants, goesOn: true, shapes: QUICK });
      elsewhere.start(publicUrlOf(other));
      await deployment.ended(elsewhere, 20);
      await waitFor(() => performance.now() - fromMs > SILENT_MS, { what: 'the first to be silent for long', deadlineMs: SILENT_MS * 2 });
      process.kill(processId, 'SIGCONT');
      await deployment.ended(elsewhere, 40);
      await deployment.endLoad(elsewhere);
      expect(elsewhere.calls.filter(({ sawEnd }) => !sawEnd)).toEqual([]);
    } finally {
      process.kill(processId, 'SIGCONT');
      await other.end('SIGTERM');
    }
    const outage = { fromMs, toMs: performance.now() };
    await deployment.served(load, CLIENTS);
    expect((await deployment.services.service('gateway-1')).processId).toBe(processId);
    const unread = new Set(load.calls.filter(({ sawEnd, startedAtMs }) => !sawEnd && startedAtMs < outage.toMs).map(({ plan }) => plan.tag));
    // What it had in hand is cut off or told as failed: its providers and clients were silent for too long when it woke.
    expect(await deployment.verdict(load, [{ ...outage, of: (call) => isBroken(call) || call.sawError }], { unread })).toEqual(CLEAN);
  }, 240_000);

  it('that runs on a copy of its disk takes its place: the first takes no request more, ends what it has and leaves by itself', async () => {
    const [disk, copy] = [await folder(), await folder()];
    const first = await startAnother(deployment.services, 'gateway-1', { TOKONE_SPOOL_DIR: disk, TOKONE_SHUTDOWN_DELAY_SECONDS: '25' });
    let second: Awaited<ReturnType<typeof startAnother>> | undefined;
    const load = new Load({ random, clients: 4, keys: deployment.tenants, goesOn: true, shapes: [SHORT_STREAM] });
    try {
      await serve(publicUrlOf(first));
      await deployment.settled();
      // Of a moment in which nothing runs: what is open in both would be ended by both. On another machine the lock's holder is dead.
      await cp(disk, copy, { recursive: true, filter: (path) => !path.endsWith('spool.lock') });
      load.start(publicUrlOf(first));
      await deployment.ended(load, 8);
      second = await startAnother(deployment.services, 'gateway-1', { TOKONE_SPOOL_DIR: copy });
      const takenMs = performance.now();
      await waitFor(() => !first.running, { what: 'the first to leave', deadlineMs: 30_000 });
      expect(await first.exited).toEqual({ code: 1, signal: null });
      await deployment.endLoad(load);
      const served = load.calls.filter(({ status }) => status === 200);
      expect(served.filter(({ sawEnd }) => !sawEnd)).toEqual([]);
      expect(Math.max(...served.map(({ startedAtMs }) => startedAtMs)) - takenMs).toBeLessThan(TOLD_WITHIN_MS);
      await serve(publicUrlOf(second));
    } finally {
      await Promise.all([first.end('SIGTERM'), second?.end('SIGTERM'), load.stop()]);
    }
    await deployment.settled();
    expect(await deployment.findFaults()).toEqual([]);
  }, 240_000);
});

/** Some calls, all whole. */
async function serve(url: string): Promise<void> {
  const load = new Load({ random, clients: 4, keys: deployment.tenants, goesOn: true, shapes: QUICK });
  load.start(url);
  await deployment.ended(load, 20);
  await deployment.endLoad(load);
  expect(load.calls.filter(({ sawEnd }) => !sawEnd)).toEqual([]);
}

function folder(): Promise<string> {
  return mkdtemp(join(deployment.services.dataFolder, 'another-gateway-'));
}

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@tokone/testing';
import type { ClientCall } from '../crash/client-call.js';
import { LONG_STREAM, Load, MIXED, QUICK } from '../crash/load.js';
import { SeededRandom } from '../crash/seeded-random.js';
import { isBroken, isTurnedAway } from './failed-calls.js';
import { publicUrlOf, startAnother } from './own-service.js';
import { CLEAN, ServicesDeployment } from './services-deployment.js';

const CLIENTS = 16;
/** Longer than the longest answer, so that each may end. */
const DRAIN = { TOKONE_DRAIN_SECONDS: '30' };
/** A request that was sent so long before the signal may have been read after it. */
const ON_ITS_WAY_MS = 1_000;
/** Longer than any account waits for a gateway. */
const SILENT_MS = 7_000;

const random = SeededRandom.ofRun();
let deployment: ServicesDeployment;
beforeAll(async () => {
  deployment = await ServicesDeployment.create({ random, env: DRAIN });
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

describe('SIGTERM under load', () => {
  it.each(['billing', 'account', 'openai-adapter', 'anthropic-adapter', 'gemini-adapter'])('of each %s in turn fails no request, loses nothing and charges nothing twice', async (app) => {
    const load = await startLoad();
    for (const name of [`${app}-1`, `${app}-2`]) {
      const processId = await deployment.services.signal(name, 'SIGTERM');
      await deployment.services.restarted(name, processId);
    }
    await deployment.served(load, CLIENTS);
    expect(await deployment.verdict(load, [])).toEqual(CLEAN);
  }, 180_000);

  it('of the gateway ends every answer that had begun; only requests that come while none serves are turned away', async () => {
    const load = await startLoad();
    const fromMs = performance.now();
    const processId = await deployment.services.signal('gateway-1', 'SIGTERM');
    await deployment.services.restarted('gateway-1', processId);
    const outage = { fromMs, toMs: performance.now() };
    await deployment.served(load, CLIENTS);
    const turnedAway = { ...outage, of: (call: ClientCall) => call.startedAtMs >= fromMs - ON_ITS_WAY_MS && isTurnedAway(call) };
    const nobodyThere = { ...outage, of: (call: ClientCall) => call.startedAtMs >= fromMs && isBroken(call) && call.status === undefined };
    expect(await deployment.verdict(load, [turnedAway, nobodyThere])).toEqual(CLEAN);
  }, 180_000);
});

describe('a second gateway', () => {
  it('serves beside the first, on the same balances, and leaves without a trace', async () => {
    const load = await startLoad();
    const second = await startAnother(deployment.services, 'gateway-1');
    try {
      const elsewhere = new Load({ random, clients: CLIENTS, keys: deployment.tenants, goesOn: true, shapes: [...MIXED, ...QUICK] });
      elsewhere.start(publicUrlOf(second));
      await deployment.ended(elsewhere, 60);
      await deployment.endLoad(elsewhere);
      expect(elsewhere.calls.filter(({ sawEnd }) => !sawEnd)).toEqual([]);
    } finally {
      expect((await second.end('SIGTERM')).code).toBe(0);
    }
    await deployment.served(load, CLIENTS);
    expect(await deployment.verdict(load, [])).toEqual(CLEAN);
  }, 180_000);

  it('K22: serves while the first stands still, which on waking charges what it had answered, once, and goes on', async () => {
    const load = await startLoad();
    const { processId } = await deployment.services.service('gateway-1');
    const second = await startAnother(deployment.services, 'gateway-1');
    const fromMs = performance.now();
    await deployment.services.signal('gateway-1', 'SIGSTOP');
    try {
      const elsewhere = new Load({ random, clients: 4, keys: deployment.tenants, goesOn: true, shapes: QUICK });
      elsewhere.start(publicUrlOf(second));
      await deployment.ended(elsewhere, 20);
      await waitFor(() => performance.now() - fromMs > SILENT_MS, { what: 'the first to be silent for long', deadlineMs: SILENT_MS * 2 });
      process.kill(processId, 'SIGCONT');
      await deployment.ended(elsewhere, 40);
      await deployment.endLoad(elsewhere);
      expect(elsewhere.calls.filter(({ sawEnd }) => !sawEnd)).toEqual([]);
    } finally {
      process.kill(processId, 'SIGCONT');
      await second.end('SIGTERM');
    }
    const outage = { fromMs, toMs: performance.now() };
    await deployment.served(load, CLIENTS);
    expect((await deployment.services.service('gateway-1')).processId).toBe(processId);
    const unread = new Set(load.calls.filter(({ sawEnd, startedAtMs }) => !sawEnd && startedAtMs < outage.toMs).map(({ plan }) => plan.tag));
    // What it had in hand is cut off or told as failed: its providers and clients were silent for too long when it woke.
    expect(await deployment.verdict(load, [{ ...outage, of: (call) => isBroken(call) || call.sawError }], { unread })).toEqual(CLEAN);
  }, 240_000);
});

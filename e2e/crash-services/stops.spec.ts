import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { ChildProgram, makeTemporaryFolder } from '@tokone/testing';
import type { ClientCall } from '../crash/client-call.js';
import { LONG_STREAM, Load, MIXED, QUICK } from '../crash/load.js';
import { SeededRandom } from '../crash/seeded-random.js';
import { isBroken, isTurnedAway } from './failed-calls.js';
import { beginAnother, publicUrlOf, startAnother } from './own-service.js';
import { CLEAN, ServicesDeployment } from './services-deployment.js';

const CLIENTS = 16;
/** Longer than the longest answer, so that each may end. */
const DRAIN = { TOKONE_DRAIN_SECONDS: '30' };
/** A request that was sent so long before the signal may have been read after it. */
const ON_ITS_WAY_MS = 1_000;
/** A gateway counts as alive for five seconds. */
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
  it('refuses to start while one is alive, and says so', async () => {
    const second = await beginAnother(deployment.services, 'gateway-1');
    const { code } = await second.exited;
    expect({ code, stderr: second.stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/One gateway at a time until admission is shared: gateway \S+ at http:\S+ is alive\. Stop it first/) });
  }, 60_000);

  it('is refused by npm run start:services -- --gateways 2 with a sentence', async () => {
    const folder = await makeTemporaryFolder('two-gateways');
    const program = new ChildProgram({ main: 'apps/services/dist/main.js', args: ['--gateways', '2'], env: { TOKONE_DATA_DIR: folder.path } });
    const { code } = await program.exited;
    await folder.remove();
    expect({ code, stderr: program.stderr }).toEqual({ code: 1, stderr: 'More than one gateway needs an admission that they share; in this version each gateway has its own. Start one.\n' });
  }, 60_000);

  it('K22: takes the place of one that stands still, which on waking charges what it had answered, once, and leaves', async () => {
    const load = await startLoad();
    const { processId } = await deployment.services.service('gateway-1');
    const fromMs = performance.now();
    let second: ChildProgram | undefined;
    await deployment.services.signal('gateway-1', 'SIGSTOP');
    try {
      second = await startAnother(deployment.services, 'gateway-1');
      expect(performance.now() - fromMs).toBeGreaterThan(SILENT_MS - 3_000);
      const elsewhere = new Load({ random, clients: 4, keys: deployment.tenants, goesOn: true, shapes: QUICK });
      elsewhere.start(publicUrlOf(second));
      await deployment.ended(elsewhere, 20);
      process.kill(processId, 'SIGCONT');
      await deployment.ended(elsewhere, 40);
      await deployment.endLoad(elsewhere);
      expect(elsewhere.calls.filter(({ sawEnd }) => !sawEnd)).toEqual([]);
    } finally {
      await second?.end('SIGTERM');
    }
    await deployment.services.restarted('gateway-1', processId);
    const outage = { fromMs, toMs: performance.now() };
    await deployment.served(load, CLIENTS);
    const unread = new Set(load.calls.filter(({ sawEnd, startedAtMs }) => !sawEnd && startedAtMs < outage.toMs).map(({ plan }) => plan.tag));
    // What it had in hand is cut off or told as failed: its providers and clients were silent for too long when it woke.
    expect(await deployment.verdict(load, [{ ...outage, of: (call) => isBroken(call) || call.sawError }], { unread })).toEqual(CLEAN);
  }, 240_000);
});

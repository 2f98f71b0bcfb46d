import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { processesOfFolder } from '../fixtures/left-behind.js';
import { LONG_STREAM, MIXED, QUICK } from '../fixtures/load.js';
import { SeededRandom } from '../fixtures/seeded-random.js';
import { isBroken, isTurnedAway } from '../fixtures/failed-calls.js';
import { CLEAN, ServicesDeployment } from '../fixtures/services-deployment.js';

const CLIENTS = 16;

const random = SeededRandom.ofRun();
let deployment: ServicesDeployment;
beforeAll(async () => {
  deployment = await ServicesDeployment.create({ random, keepsData: true, gateways: 2 });
}, 400_000);
afterEach(() => deployment?.endLoads());
afterAll(async () => {
  process.stderr.write(`SIGTERM of the deployment, seed ${random.seed}: ${JSON.stringify({ requests: deployment?.calls.length })}\n`);
  await deployment?.dispose();
}, 240_000);

describe('the whole deployment under load', () => {
  it.each(['SIGTERM', 'SIGKILL'] as const)('after %s leaves no process, and charges after the next start what it had answered, once', async (signal) => {
    const load = deployment.startLoad({ clients: CLIENTS, shapes: [LONG_STREAM, ...MIXED, ...QUICK] });
    await deployment.ended(load, random.integer(40, 80));
    const fromMs = performance.now();
    const code = await deployment.stopServices(signal);
    expect(code).toBe(signal === 'SIGTERM' ? 0 : null);
    // A provider is nobody's to stop but of the supervisor, which takes it over at the next start.
    const left = processesOfFolder(deployment.services.dataFolder).filter(({ command }) => !command.includes('apps/simulator'));
    expect(left).toEqual([]);
    await deployment.restart();
    const outage = { fromMs, toMs: performance.now() };
    await deployment.served(load, CLIENTS);
    const begunBefore = ({ startedAtMs }: { startedAtMs: number }) => startedAtMs < fromMs;
    const excuse = { ...outage, of: (call: (typeof load.calls)[number]) => isTurnedAway(call) || (isBroken(call) && (signal === 'SIGKILL' || !begunBefore(call))) };
    expect(await deployment.verdict(load, [excuse])).toEqual(CLEAN);
  }, 300_000);
});

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@tokone/testing';
import type { ClientCall } from '../fixtures/client-call.js';
import { LONG_STREAM, MIXED, QUICK } from '../fixtures/load.js';
import { SeededRandom } from '../fixtures/seeded-random.js';
import { WIRE_DIALECTS } from '../fixtures/wire-dialect.js';
import { isBroken, isTurnedAway } from '../fixtures/failed-calls.js';
import type { Excuse } from '../fixtures/failed-calls.js';
import { CLEAN, ServicesDeployment } from '../fixtures/services-deployment.js';

const KILLS = 3;
const CLIENTS = 16;
/** Of a load that is mostly long streams; half of them go through each replica. */
const RUNNING_STREAMS = 10;
/** The gateway may write to a connection of a process that died this moment, before it hears of it. */
const UNHEARD_MS = 500;

const random = SeededRandom.ofRun();
let deployment: ServicesDeployment;
beforeAll(async () => {
  deployment = await ServicesDeployment.create({ random });
}, 400_000);
afterEach(() => deployment?.endLoads());
afterAll(async () => {
  process.stderr.write(`kill -9 of services, seed ${random.seed}: ${JSON.stringify({ requests: deployment?.calls.length })}\n`);
  await deployment?.dispose();
}, 240_000);

describe('kill -9 under load', () => {
  it(`K1 to K6: of the gateway, its spool decides what the requests in flight cost, and nothing is lost or charged twice, over ${KILLS} kills`, async () => {
    const hits = { openOnly: 0, partial: 0, closed: 0 };
    const excuses: Excuse[] = [];
    const load = deployment.startLoad({ clients: CLIENTS, shapes: MIXED });
    for (let kill = 1; kill <= KILLS; kill++) {
      await deployment.ended(load, random.integer(40, 150));
      const { evidence, ...outage } = await deployment.killGateway();
      excuses.push({ ...outage, of: (call) => isBroken(call) || isTurnedAway(call) });
      hits.openOnly += evidence.openOnly.size;
      hits.partial += evidence.partial.size;
      hits.closed += evidence.closed.size;
    }
    await deployment.served(load, CLIENTS);
    expect(await deployment.verdict(load, excuses)).toEqual(CLEAN);
    for (const count of Object.values(hits)) expect(count).toBeGreaterThan(0);
  }, 300_000);

  it.each(WIRE_DIALECTS)('of an adapter for $name in mid-stream: its streams end with an error of the dialect and cost what was read, new requests go to the other replica', async (dialect) => {
    const load = deployment.startLoad({ clients: CLIENTS, dialects: [dialect], shapes: [LONG_STREAM, ...QUICK] });
    await deployment.ended(load, random.integer(40, 100));
    const streaming = () => load.calls.filter(({ running, plan, beganAtMs }) => running && plan.streamed && beganAtMs < Infinity).length;
    await waitFor(() => streaming() >= RUNNING_STREAMS, { what: 'streams to run', deadlineMs: 60_000, intervalMs: 1 });
    const fromMs = performance.now();
    await deployment.services.signal(`${dialect.name}-adapter-${random.integer(1, 2)}`, 'SIGKILL');
    const cut = () => load.calls.filter(isCutStream);
    await deployment.served(load, CLIENTS);
    expect(await deployment.verdict(load, [{ fromMs, toMs: fromMs + UNHEARD_MS, of: (call) => isCutStream(call) || isRefused(call) }])).toEqual(CLEAN);
    expect(cut().length).toBeGreaterThan(0);
    expect(await countEstimates(cut())).toBe(cut().length);
  }, 180_000);
});

/** A client that reads on until the connection is lost has the dialect's error event as the last one. */
function isCutStream(call: ClientCall): boolean {
  return call.plan.streamed && call.status === 200 && call.bytes > 0 && call.sawError && call.ended === 'broken';
}

function isRefused({ status, sawError, ended }: ClientCall): boolean {
  return status === 502 && sawError && ended === 'clean';
}

/** Of these calls: charged above 0, as an estimate. */
function countEstimates(calls: readonly ClientCall[]): Promise<number> {
  return deployment.query(async (pool) => {
    const { rowCount } = await pool.query("SELECT 1 FROM billing.usage WHERE id = ANY($1::uuid[]) AND outcome = 'upstream_failed' AND estimated AND charge_nano_usd > 0", [calls.map(({ requestId }) => requestId)]);
    return rowCount ?? 0;
  });
}

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { MIXED, QUICK } from '../fixtures/load.js';
import type { Load, TenantKeys } from '../fixtures/load.js';
import { SeededRandom } from '../fixtures/seeded-random.js';
import type { ClientCall } from '../fixtures/client-call.js';
import { WIRE_DIALECTS } from '../fixtures/wire-dialect.js';
import { RawConnection } from '../../fixtures/raw-connection.js';
import { findInexcusable } from '../fixtures/failed-calls.js';
import { freezeProcess, standStill } from '../fixtures/process-state.js';
import { CLEAN, ServicesDeployment } from '../fixtures/services-deployment.js';

const CLIENTS = 16;
const NEW_TENANTS = 6;
/** The gateway gives an adapter five seconds more than a provider. */
const UPSTREAM_SILENCE = { TOKONE_UPSTREAM_SILENCE_SECONDS: '5' };
/** Longer than a member of a group may be silent, a statement may take, a request to Kafka may wait, and a gateway counts as alive. */
const LONG_MS = 30_000;
const POSTGRES_MS = 20_000;
/** Longer than a replica of an adapter may give no sign of life. */
const ADAPTER_MS = 24_000;
const POSTGRES_KILLS = 2;

const random = SeededRandom.ofRun();
let deployment: ServicesDeployment;
beforeAll(async () => {
  deployment = await ServicesDeployment.create({ random, servers: { kafka: {}, postgres: true }, env: UPSTREAM_SILENCE });
}, 400_000);
afterEach(() => deployment?.endLoads());
afterAll(async () => {
  process.stderr.write(`servers and services that stand still, seed ${random.seed}: ${JSON.stringify({ requests: deployment?.calls.length })}\n`);
  await deployment?.dispose();
}, 240_000);

async function startLoad(): Promise<Load> {
  const load = deployment.startLoad({ clients: CLIENTS, shapes: [...MIXED, ...QUICK] });
  await deployment.ended(load, random.integer(30, 60));
  return load;
}

describe('SIGSTOP for longer than the patience of everybody, under load', () => {
  it.each([
    { what: 'one billing', names: ['billing-1'] },
    { what: 'K20: both accounts', names: ['account-1', 'account-2'] },
    { what: 'K22: the gateway', names: ['gateway-1'] },
  ])('of $what fails no request and charges exactly', async ({ names }) => {
    const load = await startLoad();
    await deployment.pause(names, LONG_MS);
    await deployment.served(load, CLIENTS);
    expect(await deployment.verdict(load, [])).toEqual(CLEAN);
  }, 180_000);

  it('of the gateway serves requests whose heads it had begun to read', async () => {
    const { processId } = await deployment.services.service('gateway-1');
    const connections = await Promise.all(WIRE_DIALECTS.map(() => RawConnection.open(deployment.baseUrl)));
    try {
      const line = (index: number) => `POST ${WIRE_DIALECTS[index]?.path(false)} HTTP/1.1\r\n`;
      for (const [index, connection] of connections.entries()) await connection.write(line(index));
      // By the time that this is answered, what came before has been read.
      expect((await fetch(deployment.baseUrl + WIRE_DIALECTS[0]?.path(false), { method: 'POST', body: '{}' })).status).toBe(401);
      const stop = async () => {
        await freezeProcess(processId);
        await Promise.all(connections.map((connection) => connection.write('host: a\r\ncontent-length: 2\r\ncontent-type: application/json\r\n\r\n{}')));
      };
      await standStill({ stop, go: () => process.kill(processId, 'SIGCONT'), lengthMs: LONG_MS });
      const answers = await Promise.all(connections.map((connection) => connection.answers(1)));
      // Refused for their missing key, so they were read.
      expect(answers.flat().map(({ status }) => status)).toEqual([401, 401, 401]);
    } finally {
      process.kill(processId, 'SIGCONT');
      for (const connection of connections) connection.destroy();
    }
  }, 90_000);

  it('of an adapter fails only the requests that it had taken, and they cost what the gateway has read', async () => {
    const load = await startLoad();
    const outage = await deployment.pause(['openai-adapter-1'], ADAPTER_MS);
    await deployment.served(load, CLIENTS);
    const lost = (call: ClientCall) => call.plan.dialect.name === 'openai' && call.sawError && (call.status === 200 || call.status === 504 || call.status === 502);
    const unread = new Set(load.calls.filter(lost).map(({ plan }) => plan.tag));
    expect(unread.size).toBeGreaterThan(0);
    expect(await deployment.verdict(load, [{ ...outage, of: lost }], { unread })).toEqual(CLEAN);
  }, 180_000);

  it('of one account fails no request of tenants whom nobody has asked for yet', async () => {
    const { processId } = await deployment.services.service('account-2');
    await freezeProcess(processId);
    try {
      const keys: TenantKeys[] = [];
      for (let tenant = 0; tenant < NEW_TENANTS; tenant++) keys.push(await deployment.addTenant());
      const load = deployment.startLoad({ clients: NEW_TENANTS, keys, shapes: QUICK });
      await deployment.served(load, 3 * NEW_TENANTS);
      await deployment.endLoad(load);
      expect(findInexcusable(load.calls, [])).toEqual([]);
    } finally {
      process.kill(processId, 'SIGCONT');
    }
    await deployment.settled();
    expect(await deployment.findFaults()).toEqual([]);
  }, 180_000);

  it.each([
    { what: 'the broker', server: () => deployment.servers.kafka.brokers[0], lengthMs: LONG_MS },
    { what: 'PostgreSQL', server: () => deployment.servers.postgres, lengthMs: POSTGRES_MS },
  ])('of $what fails no request and charges exactly', async ({ server, lengthMs }) => {
    const load = await startLoad();
    await standStill({ stop: () => server()?.pause(), go: () => server()?.resume(), lengthMs });
    await deployment.served(load, CLIENTS);
    expect(await deployment.verdict(load, [])).toEqual(CLEAN);
  }, 180_000);
});

describe('kill -9 of PostgreSQL under load', () => {
  it(`K18: ${POSTGRES_KILLS} times: the gateway goes on with the keys that it knows, and everything is charged once`, async () => {
    const load = await startLoad();
    for (let kill = 0; kill < POSTGRES_KILLS; kill++) {
      await deployment.servers.postgres.kill();
      await deployment.ended(load, random.integer(2, 4) * CLIENTS);
      await deployment.servers.postgres.start();
      await deployment.ended(load, random.integer(20, 60));
    }
    await deployment.served(load, CLIENTS);
    expect(await deployment.verdict(load, [])).toEqual(CLEAN);
  }, 240_000);
});

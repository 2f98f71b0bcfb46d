import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { GatewayMembership, HttpGatewayRegistry, isOtherGateway } from '@tokone/account-client';
import type { LiveGateway } from '@tokone/account-client';
import { silentLogger } from '@tokone/telemetry';
import { waitFor } from '@tokone/testing';
import { serveInternal } from './fixtures/internal-server.js';
import type { InternalServer } from './fixtures/internal-server.js';
import { startLedgerDatabase } from './fixtures/ledger-database.js';
import type { LedgerDatabase } from './fixtures/ledger-database.js';
import { PostgresGatewayRegistry } from './gateway-registry.js';

let ledger: LedgerDatabase;
let server: InternalServer;
let registry: PostgresGatewayRegistry;

beforeAll(async () => {
  ledger = await startLedgerDatabase();
  server = await serveInternal(ledger.feature);
  registry = new PostgresGatewayRegistry(ledger.pool);
});
afterAll(async () => {
  await server.close();
  await ledger.stop();
});
beforeEach(() => ledger.pool.query('DELETE FROM account.gateways'));

function newGateway(gatewayId = ledger.ids.next(), url = 'http://127.0.0.1:7100'): LiveGateway {
  return { gatewayId, instanceId: ledger.ids.next(), url };
}

/** As if its last heartbeat had come so long ago. */
async function silentFor(gatewayId: string, seconds: number): Promise<void> {
  await ledger.pool.query('UPDATE account.gateways SET heartbeat_at = now() - make_interval(secs => $2) WHERE gateway_id = $1', [gatewayId, seconds]);
}

describe.each([
  ['the table', () => registry],
  ['HTTP', () => new HttpGatewayRegistry(server.client)],
])('GatewayRegistry of %s', (_name, driver) => {
  it('takes one gateway, which is told of postings for 10 s after its last heartbeat', async () => {
    const gateway = newGateway();
    await driver().heartbeat(gateway);
    await driver().heartbeat(gateway);
    expect(await registry.live()).toEqual([gateway]);
    await silentFor(gateway.gatewayId, 9);
    expect(await registry.live()).toEqual([gateway]);
    await silentFor(gateway.gatewayId, 11);
    expect(await registry.live()).toEqual([]);
  });

  it('refuses a second one with a sentence, while the first is alive', async () => {
    const first = newGateway();
    await driver().heartbeat(first);
    await silentFor(first.gatewayId, 4);
    const refusal: unknown = await driver().heartbeat(newGateway()).catch((error: unknown) => error);
    expect(isOtherGateway(refusal)).toBe(true);
    expect((refusal as Error).message).toMatch(/^One gateway at a time until admission is shared: gateway .* at http:\/\/127\.0\.0\.1:7100 is alive\. Stop it first/);
    expect(await registry.live()).toEqual([first]);
  });

  it('refuses another run of the same gateway too, while the first is alive', async () => {
    const first = newGateway();
    const second = newGateway(first.gatewayId);
    await driver().heartbeat(first);
    const refusal: unknown = await driver().heartbeat(second).catch((error: unknown) => error);
    expect(isOtherGateway(refusal)).toBe(true);
    await silentFor(first.gatewayId, 6);
    await driver().heartbeat(second);
    expect(await registry.live()).toEqual([second]);
  });

  it('refuses a gateway that was silent and comes back after another took its place', async () => {
    const [first, second] = [newGateway(), newGateway()];
    await driver().heartbeat(first);
    await silentFor(first.gatewayId, 6);
    await driver().heartbeat(second);
    expect(isOtherGateway(await driver().heartbeat(first).catch((error: unknown) => error))).toBe(true);
  });

  it('takes the next one at once when the first has left, and forgets nobody else by it', async () => {
    const [first, second] = [newGateway(), newGateway()];
    await driver().heartbeat(first);
    await driver().leave(second);
    await driver().leave({ ...first, instanceId: second.instanceId });
    expect(await registry.live()).toEqual([first]);
    await driver().leave(first);
    await driver().leave(first);
    await driver().heartbeat(second);
    expect(await registry.live()).toEqual([second]);
  });

  it('takes one of many that come at the same moment', async () => {
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => driver().heartbeat(newGateway())));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await registry.live()).toHaveLength(1);
  });
});

describe('the table of gateways', () => {
  it('keeps no row of gateways that are gone for a day', async () => {
    const [old, young] = [newGateway(), newGateway()];
    await registry.heartbeat(old);
    await silentFor(old.gatewayId, 86_500);
    await registry.heartbeat(young);
    expect((await ledger.pool.query('SELECT 1 FROM account.gateways')).rowCount).toBe(1);
  });
});

describe('a gateway among the gateways', () => {
  const join = (gateway: LiveGateway, onReplaced: (reason: Error) => void = () => undefined): GatewayMembership =>
    new GatewayMembership({ registry: new HttpGatewayRegistry(server.client), gateway, logger: silentLogger, onReplaced, intervalMs: 20 });

  it('waits for the end of a run that was killed, and stays by its heartbeats', async () => {
    const killed = newGateway();
    const next = newGateway(killed.gatewayId);
    await registry.heartbeat(killed);
    await silentFor(killed.gatewayId, 4.5);
    const membership = join(next);
    await membership.join({ deadlineMs: 10_000 });
    await silentFor(next.gatewayId, 11);
    await waitFor(async () => (await registry.live()).length === 1, { what: 'a heartbeat', deadlineMs: 5_000 });
    await membership.leave();
    expect(await registry.live()).toEqual([]);
  });

  it('refuses to start beside another one', async () => {
    await registry.heartbeat(newGateway());
    await expect(join(newGateway()).join({ deadlineMs: 10_000, refusalMs: 100 })).rejects.toThrow(/One gateway at a time/);
  });

  it('is told when another one took its place', async () => {
    const own = newGateway();
    const reason = new Promise<Error>((resolve) => void join(own, resolve).join({ deadlineMs: 5_000 }));
    await waitFor(async () => (await registry.live()).length > 0, { what: 'the first heartbeat', deadlineMs: 5_000 });
    await ledger.pool.query('UPDATE account.gateways SET gateway_id = $1', [ledger.ids.next()]);
    expect((await reason).message).toMatch(/One gateway at a time/);
  });
});

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { GatewayMembership, HttpGatewayRegistry, isReplaced } from '@tokone/account-client';
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
  it('takes any number of gateways, each of which may hold balances for 10 s after its last heartbeat', async () => {
    const gateways = Array.from({ length: 8 }, () => newGateway()).sort((a, b) => (a.gatewayId < b.gatewayId ? -1 : 1));
    await Promise.all(gateways.map((gateway) => driver().join(gateway)));
    await Promise.all(gateways.map((gateway) => driver().heartbeat(gateway)));
    expect(await registry.live()).toMatchObject(gateways);
    const [first] = gateways;
    await silentFor(first?.gatewayId ?? '', 9);
    expect((await registry.live())[0]?.silentMs).toBeGreaterThanOrEqual(9_000);
    await silentFor(first?.gatewayId ?? '', 11);
    expect(await registry.live()).toMatchObject(gateways.slice(1));
  });

  it('lets a later run of a gateway take its place at once, and tells the earlier one', async () => {
    const first = newGateway();
    const second = newGateway(first.gatewayId, 'http://127.0.0.1:7101');
    await driver().join(first);
    await driver().join(second);
    expect(await registry.live()).toMatchObject([second]);
    const refusal: unknown = await driver().heartbeat(first).catch((error: unknown) => error);
    expect(isReplaced(refusal)).toBe(true);
    expect((refusal as Error).message).toBe(`A later run of gateway ${first.gatewayId} has taken its place; this one is over.`);
    await driver().heartbeat(second);
    expect(await registry.live()).toMatchObject([second]);
  });

  it('takes a gateway back that was silent for so long that it was forgotten', async () => {
    const gateway = newGateway();
    await driver().join(gateway);
    await ledger.pool.query('DELETE FROM account.gateways');
    await driver().heartbeat(gateway);
    expect(await registry.live()).toMatchObject([gateway]);
  });

  it('forgets one that has left, and nobody else by it', async () => {
    const [first, second] = [newGateway(), newGateway()];
    await driver().join(first);
    await driver().leave(second);
    await driver().leave({ ...first, instanceId: second.instanceId });
    expect(await registry.live()).toMatchObject([first]);
    await driver().leave(first);
    await driver().leave(first);
    expect(await registry.live()).toEqual([]);
  });
});

describe('the table of gateways', () => {
  it('keeps no row of gateways that are gone for a day', async () => {
    const [old, young] = [newGateway(), newGateway()];
    await registry.join(old);
    await silentFor(old.gatewayId, 86_500);
    await registry.join(young);
    expect((await ledger.pool.query('SELECT 1 FROM account.gateways')).rowCount).toBe(1);
  });
});

describe('a gateway among the gateways', () => {
  const join = (gateway: LiveGateway, onReplaced: (reason: Error) => void = () => undefined): GatewayMembership =>
    new GatewayMembership({ registry: new HttpGatewayRegistry(server.client), gateway, logger: silentLogger, onReplaced, intervalMs: 20 });

  it('stays by its heartbeats', async () => {
    const gateway = newGateway();
    const membership = join(gateway);
    await membership.join({ deadlineMs: 10_000 });
    await silentFor(gateway.gatewayId, 11);
    await waitFor(async () => (await registry.live()).length === 1, { what: 'a heartbeat', deadlineMs: 5_000 });
    await membership.leave();
    expect(await registry.live()).toEqual([]);
  });

  it('is told when a later run took its place', async () => {
    const own = newGateway();
    const reason = new Promise<Error>((resolve) => void join(own, resolve).join({ deadlineMs: 5_000 }));
    await waitFor(async () => (await registry.live()).length > 0, { what: 'the first heartbeat', deadlineMs: 5_000 });
    await registry.join(newGateway(own.gatewayId));
    expect((await reason).message).toMatch(/has taken its place/);
  });
});

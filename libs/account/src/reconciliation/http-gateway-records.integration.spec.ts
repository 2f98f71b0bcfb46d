import 'reflect-metadata';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { GatewayClients } from '@tokone/admission';
import { startLedgerDatabase } from '../fixtures/ledger-database.js';
import type { LedgerDatabase } from '../fixtures/ledger-database.js';
import { PostgresGatewayRegistry } from '../gateway-registry.js';
import { HttpGatewayRecords } from './http-gateway-records.js';

const [ONE, OTHER, INSTANCE] = ['019ab1c2-0000-7000-8000-000000000001', '019ab1c2-0000-7000-8000-000000000002', '019ab1c2-0000-7000-8000-000000000003'];
const REPORT = { gatewayId: ONE, sinceMs: 0, minutes: [{ minute: 5, count: 1, idXor: '0'.repeat(32) }], lost: [] };
let ledger: LedgerDatabase;
let registry: PostgresGatewayRegistry;
let clients: GatewayClients;
let url: string;
const paths: string[] = [];
const server = createServer((request, response) => {
  paths.push(String(request.url));
  response.end(JSON.stringify(REPORT));
});

beforeAll(async () => {
  ledger = await startLedgerDatabase();
  registry = new PostgresGatewayRegistry(ledger.pool);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  await clients.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await ledger.stop();
});
beforeEach(async () => {
  await clients?.close();
  await ledger.pool.query('DELETE FROM account.gateways');
  await ledger.pool.query('DELETE FROM account.departed_gateways');
  clients = new GatewayClients({ secret: 'secret-of-the-services', now: () => performance.now() });
});

const reports = () => new HttpGatewayRecords(ledger.pool, clients).reports(3_000);

describe('what the gateways recorded', () => {
  it('is asked of those that are alive, with the time that they may take', async () => {
    await registry.heartbeat({ gatewayId: ONE, instanceId: INSTANCE, url });
    expect(await reports()).toEqual([REPORT]);
    expect(paths).toEqual(['/internal/gateway/records?waitMs=3000']);
  });

  it('is not known while no gateway is alive', async () => {
    await expect(reports()).rejects.toThrow('no gateway is alive');
  });

  it('is not known while one is silent, until it is forgotten or has left', async () => {
    await registry.heartbeat({ gatewayId: OTHER, instanceId: INSTANCE, url: 'http://127.0.0.1:1' });
    await ledger.pool.query(`UPDATE account.gateways SET heartbeat_at = now() - interval '40 seconds'`);
    await registry.heartbeat({ gatewayId: ONE, instanceId: INSTANCE, url });
    await expect(reports()).rejects.toThrow(/gateway 019ab1c2-0000-7000-8000-000000000002 at http:\/\/127.0.0.1:1 has been silent for 4\d s/);
    await registry.leave({ gatewayId: OTHER, instanceId: INSTANCE });
    expect(await reports()).toHaveLength(1);
  });

  it('is all that there is from when the last other gateway left, and all again when that is back', async () => {
    await registry.heartbeat({ gatewayId: OTHER, instanceId: INSTANCE, url });
    await registry.leave({ gatewayId: OTHER, instanceId: INSTANCE });
    await registry.heartbeat({ gatewayId: ONE, instanceId: INSTANCE, url });
    await ledger.pool.query(`UPDATE account.departed_gateways SET left_at = '2026-11-25T12:00:00Z'`);
    expect(await reports()).toEqual([{ ...REPORT, sinceMs: Date.UTC(2026, 10, 25, 12, 1) }]);
    await ledger.pool.query('UPDATE account.departed_gateways SET gateway_id = $1', [ONE]);
    expect(await reports()).toEqual([REPORT]);
  });
});

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { InternalClient } from '@tokone/http';
import { HttpAccountDirectory } from './http-account-directory.js';
import { HttpBalances } from './http-balances.js';
import { HttpGatewayRegistry } from './http-gateway-registry.js';
import { HttpUpstreamDirectory } from './http-upstream-directory.js';

let server: Server;
let client: InternalClient;
let answer: { status: number; body: unknown };
let asked: { request: string; deadlineMs: string | undefined; body: unknown };

beforeEach(async () => {
  server = createServer((request, response) => {
    let text = '';
    request.on('data', (part: Buffer) => (text += part.toString()));
    request.on('end', () => {
      const deadline = request.headers['x-tokone-deadline-ms'];
      asked = { request: `${request.method} ${request.url}`, deadlineMs: String(deadline), body: text === '' ? undefined : JSON.parse(text) };
      response.writeHead(answer.status).end(JSON.stringify(answer.body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  client = new InternalClient({ baseUrls: [`http://127.0.0.1:${(server.address() as AddressInfo).port}`], secret: 'secret-of-the-services', now: () => 0 });
});
afterEach(async () => {
  await client.close();
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
});

const gateway = { gatewayId: 'g', instanceId: 'i', url: 'http://127.0.0.1:7100' };
const digest = Buffer.alloc(32, 0xff);

describe('a question to the account service', () => {
  it.each<[string, () => Promise<unknown>, unknown, unknown, Partial<typeof asked>]>([
    ['for a key', () => new HttpAccountDirectory(client).findKey(digest), { key: null }, undefined, { request: 'POST /internal/account/keys/find', deadlineMs: '2000', body: { digest: digest.toString('base64url') } }],
    ['for groups', () => new HttpAccountDirectory(client).groups(), { groups: [] }, [], { request: 'GET /internal/account/groups', deadlineMs: '2000' }],
    ['for upstreams', () => new HttpUpstreamDirectory(client).upstreamsOf('a/b'), { upstreams: [] }, [], { request: 'GET /internal/account/groups/a%2Fb/upstreams', deadlineMs: '2000' }],
    ['for a balance', () => new HttpBalances(client).read('a'), { balance: { seq: '1', balanceNanoUsd: '2' } }, { seq: 1n, balanceNanoUsd: 2n }, { request: 'GET /internal/account/balances/a', deadlineMs: '2000' }],
    ['for a balance alone', () => new HttpBalances(client).balanceOf('a'), { balance: null }, 0n, { request: 'GET /internal/account/balances/a' }],
    ['that is a heartbeat', () => new HttpGatewayRegistry(client).heartbeat(gateway), {}, undefined, { request: 'POST /internal/account/gateways/heartbeat', body: gateway }],
    ['that is a farewell', () => new HttpGatewayRegistry(client).leave(gateway), {}, undefined, { request: 'POST /internal/account/gateways/leave', body: { gatewayId: 'g', instanceId: 'i' } }],
    ['that is a beginning', () => new HttpGatewayRegistry(client).join(gateway), {}, undefined, { request: 'POST /internal/account/gateways/join', body: gateway }],
  ])('%s goes where it belongs, within its deadline, and its answer is read', async (_what, ask, body, expected, request) => {
    answer = { status: 200, body };
    expect(await ask()).toEqual(expected);
    expect(asked).toMatchObject(request);
  });

  it.each<[string, () => Promise<unknown>]>([
    ['key', () => new HttpAccountDirectory(client).findKey(digest)],
    ['groups', () => new HttpAccountDirectory(client).groups()],
    ['upstreams', () => new HttpUpstreamDirectory(client).upstreamsOf('g')],
    ['balance', () => new HttpBalances(client).balanceOf('a')],
  ])('that is refused, or answered with something else, is no answer: %s', async (_what, ask) => {
    answer = { status: 500, body: {} };
    await expect(ask()).rejects.toMatchObject({ failure: 'refused', status: 500 });
    answer = { status: 200, body: { other: 1 } };
    await expect(ask()).rejects.toMatchObject({ failure: 'unreadable' });
  });
});

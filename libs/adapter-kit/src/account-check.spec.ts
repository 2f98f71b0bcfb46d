import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { HttpAccountDirectory } from '@tokone/account-client';
import { InternalClient } from '@tokone/http';
import { accountCheck } from './account-check.js';

const LACKING = 'The account service, which knows the upstreams, has not answered yet.';
let status = 200;
let asked = 0;
const server = createServer((_request, response) => {
  asked++;
  response.writeHead(status).end(JSON.stringify({ groups: [] }));
});
let client: InternalClient;

beforeEach(async () => {
  [status, asked] = [200, 0];
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  client = new InternalClient({ baseUrls: [`http://127.0.0.1:${(server.address() as AddressInfo).port}`], secret: '9f86d081884c7d659a2feaa0c55ad015', now: () => performance.now() });
});
afterEach(async () => {
  await client.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

describe('the readiness of an adapter', () => {
  it('is lacking until the account service has answered, and never again because it is away', async () => {
    const { problem } = accountCheck(new HttpAccountDirectory(client));
    status = 503;
    expect(await problem()).toBe(LACKING);
    status = 401;
    expect(await problem()).toBe(LACKING);
    status = 200;
    expect(await problem()).toBeUndefined();
    const askedBefore = asked;
    status = 503;
    expect(await problem()).toBeUndefined();
    expect(asked).toBe(askedBefore);
  });
});

import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { InternalClient } from '@tokone/http';
import { OpenedParts, ServiceListeners, internalModule } from '@tokone/service';
import { silentLogger } from '@tokone/telemetry';
import { GatewayClients } from './gateway-clients.js';
import { GatewayHolds } from './gateway-holds.js';
import { gatewayHoldsInternal } from './gateway-holds.controller.js';
import { HttpAccountOpener } from './http-account-opener.js';
import { announceQuestion, openQuestion, readOpenAnswer, writeOpenAnswer } from './opening-wire.js';
import type { AnnouncedHold } from './redis-accounts.js';

const SECRET = 'secret-between-the-services-of-a-spec';
const [ACCOUNT, OTHER, REQUEST, GATEWAY] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()];
const HELD: AnnouncedHold = { requestId: REQUEST, amountNanoUsd: 9_007_199_254_740_993n, extendable: true, whole: false, owner: GATEWAY };

let parts: OpenedParts;
let holds: GatewayHolds;
let clients: GatewayClients;
let url: string;
let order: string[];
let shipping: () => Promise<void>;

beforeEach(async () => {
  order = [];
  shipping = async () => void order.push('shipped');
  const admission = {
    announce: async (accountIds: readonly string[], token: string) => {
      order.push(`look for ${token}`);
      return new Map(accountIds.includes(ACCOUNT) ? [[ACCOUNT, [HELD]]] : []);
    },
    running: async (requests: readonly { requestId: string }[]) => requests.map(({ requestId }) => requestId).filter((requestId) => requestId === REQUEST),
  };
  holds = new GatewayHolds({ admission, gatewayId: GATEWAY, shipped: () => shipping() });
  parts = new OpenedParts(silentLogger, new AbortController().signal);
  const module = internalModule({ secret: SECRET, logger: silentLogger, ...gatewayHoldsInternal(holds) });
  ({ url } = await new ServiceListeners(parts).open({ name: 'internal listener', address: { host: '127.0.0.1', port: 0 }, modules: [module] }));
  clients = parts.add('clients', new GatewayClients({ secret: SECRET, now: () => performance.now() }), (opened) => opened.close());
});
afterEach(() => parts.close());

describe('what a gateway tells of its requests', () => {
  it('is nothing before it knows what a crash left open', async () => {
    expect(await clients.announce(url, { accountIds: [ACCOUNT], token: 'token' })).toEqual({ ready: false, waitingFor: 'the gateway, to find what a crash left open' });
    expect(await clients.running(url, [])).toMatchObject({ ready: false });
    expect(order).toEqual([]);
  });

  it('is its holds of these accounts, looked at first, and told when the log has what it closed', async () => {
    holds.begin();
    expect(await clients.announce(url, { accountIds: [ACCOUNT, OTHER], token: 'token' })).toEqual({ ready: true, holds: new Map([[ACCOUNT, [HELD]]]) });
    expect(order).toEqual(['look for token', 'shipped']);
    expect(await clients.announce(url, { accountIds: [OTHER], token: 'token' })).toEqual({ ready: true, holds: new Map() });
  });

  it('is not told while the log does not have what it closed', async () => {
    holds.begin();
    shipping = () => Promise.reject(new Error('no broker'));
    expect(await clients.announce(url, { accountIds: [ACCOUNT], token: 'token' })).toEqual({ ready: false, waitingFor: 'Kafka, to take what the gateway has closed' });
  });

  it('is which of some requests it runs', async () => {
    holds.begin();
    const requests = [REQUEST, randomUUID()].map((requestId) => ({ accountId: ACCOUNT, requestId }));
    expect(await clients.running(url, requests)).toEqual({ ready: true, running: [REQUEST] });
  });

  it('is for services alone, and only for questions that make sense', async () => {
    holds.begin();
    const strangers = parts.add('strangers', new GatewayClients({ secret: 'another-secret-than-the-services-have', now: () => performance.now() }), (opened) => opened.close());
    await expect(strangers.announce(url, { accountIds: [ACCOUNT], token: 'token' })).rejects.toMatchObject({ failure: 'refused', status: 401 });
    await expect(clients.announce(url, { accountIds: [], token: 'token' })).rejects.toMatchObject({ failure: 'refused', status: 400 });
    expect(announceQuestion.safeParse({ accountIds: Array.from({ length: 1_001 }, () => ACCOUNT), token: 't' }).success).toBe(false);
  });
});

describe('the question to open accounts', () => {
  it('brings the tokens of those that are open, and names those that are none; the others are not in the answer', async () => {
    const tokens = new Map<string, string | undefined>([[ACCOUNT, 'token'], [OTHER, undefined]]);
    expect(readOpenAnswer(JSON.parse(JSON.stringify(writeOpenAnswer(tokens))))).toEqual(tokens);
    expect(openQuestion.safeParse({ accountIds: [ACCOUNT], waitMs: 6_000 }).success).toBe(false);
  });

  it('fails when the account service cannot be asked', async () => {
    const nobody = parts.add('nobody', new InternalClient({ baseUrls: ['http://127.0.0.1:1'], secret: SECRET, now: () => performance.now() }), (opened) => opened.close());
    await expect(new HttpAccountOpener(nobody).open([ACCOUNT], 0)).rejects.toMatchObject({ failure: 'unreachable' });
  });
});

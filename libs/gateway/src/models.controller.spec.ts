import 'reflect-metadata';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { KeyRecord } from '@tokone/account-client';
import { MemoryAdmission } from '@tokone/admission';
import type { UsageSums } from '@tokone/billing-client';
import type { PriceSnapshot } from '@tokone/pricing';
import { Uuid7Source } from '@tokone/protocol';
import { Spool } from '@tokone/spool';
import { silentLogger } from '@tokone/telemetry';
import { makeTemporaryFolder } from '@tokone/testing';
import type { TemporaryFolder } from '@tokone/testing';
import { tenantKey } from './fixtures/tenant.js';
import { Gateway } from './gateway.js';
import { GatewayModule } from './gateway.module.js';

const PRICE: PriceSnapshot = { id: '1/m', model: 'a-model', platform: tenantKey.platform, maxInputTokens: 10, maxOutputTokens: 10, tiers: { default: [] }, unitNanoUsd: {} };
const NOTHING: UsageSums = { requests: 0, inputTokens: 0, outputTokens: 0, cacheCreationTokens: 0, cacheReadTokens: 0, listNanoUsd: 0n, chargedNanoUsd: 0n };

let folder: TemporaryFolder;
let spool: Spool;
let gateway: Gateway;
let app: NestFastifyApplication;
let key: KeyRecord;
let databaseFails = false;

beforeEach(async () => {
  databaseFails = false;
  key = { ...tenantKey, models: undefined };
  folder = await makeTemporaryFolder('models');
  const now = () => Date.now();
  spool = await Spool.open({ folder: folder.path, now, onAlarm: () => undefined, ballastBytes: 0 });
  const balance = { seq: 1n, balanceNanoUsd: 3_000_000_000n };
  const ports = {
    accounts: { findKey: async () => key, groups: async () => [] },
    balances: { balanceOf: async () => balance.balanceNanoUsd },
    admission: new MemoryAdmission({ now, balances: { read: async () => balance } }),
    prices: { find: () => PRICE, byId: async () => PRICE, models: () => [PRICE] },
    usage: { ofKey: async () => (databaseFails ? Promise.reject(new Error('connection refused')) : { today: NOTHING, total: { ...NOTHING, requests: 7 }, averageDurationMs: 0, requestsPerMinute: 0, tokensPerMinute: 0, daily: [], models: [] }) },
    adapters: new Map(),
    spool,
    ids: new Uuid7Source(now),
    logger: silentLogger,
    now,
    monotonicNow: () => performance.now(),
  };
  gateway = new Gateway(ports, { pepper: Buffer.alloc(32, 1) });
  app = await NestFactory.create<NestFastifyApplication>(GatewayModule.with(gateway), new FastifyAdapter(), { logger: false, abortOnError: false });
  await app.listen(0, '127.0.0.1');
});

afterEach(async () => {
  await app.close();
  gateway.close();
  await spool.close();
  await folder.remove();
});

async function get(path: string): Promise<{ status: number; body: unknown }> {
  const answer = await fetch(`${await app.getUrl()}${path}`, { headers: { authorization: 'Bearer sk-x' } });
  return { status: answer.status, body: await answer.json() };
}

describe('an account in good standing', () => {
  it.each(['/v1/models', '/v1/models/a-model'])('reads %s', async (path) => {
    expect((await get(path)).status).toBe(200);
  });
});

describe('a database that does not answer', () => {
  it('makes usage a 503 that says when to come back, without a word of the cause', async () => {
    databaseFails = true;
    const answer = await get('/v1/usage');
    expect(answer).toMatchObject({ status: 503, body: { error: { code: 'not_ready' } } });
    expect(JSON.stringify(answer.body)).not.toContain('connection');
  });
});

describe('a suspended account', () => {
  beforeEach(() => {
    key = { ...key, accountStatus: 'suspended' };
  });

  it.each(['/v1/models', '/models', '/v1/models/a-model', '/v1/models/no-such-model'])('is refused at %s', async (path) => {
    expect(await get(path)).toMatchObject({ status: 403, body: { error: { code: 'account_suspended' } } });
  });

  it('still sees what it used', async () => {
    expect(await get('/v1/usage')).toMatchObject({ status: 200, body: { remaining: 3, usage: { total: { requests: 7 } } } });
  });
});

import 'reflect-metadata';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { InternalClient } from '@tokone/http';
import { OpenedParts, ServiceListeners, internalModule } from '@tokone/service';
import { silentLogger } from '@tokone/telemetry';
import { MemoryAdmissionAudit } from './admission-audit.js';
import type { AuditedAccount } from './admission-audit.js';
import { admissionInternal } from './admission.controller.js';
import { GatewayTargets } from './gateway-targets.js';
import { HttpAdmissionAudit } from './http-admission-audit.js';
import { HttpAdmissionPosts } from './http-admission-posts.js';
import { HttpAdmissionView } from './http-admission-view.js';
import { MemoryAdmission } from './memory-admission.js';

const SECRET = 'secret-between-the-services-of-a-spec';
const ACCOUNT = '019ab1c2-0000-7000-8000-000000000001';
const REQUEST = '019ab1c2-0000-7000-8000-000000000002';
let parts: OpenedParts;
let admission: MemoryAdmission;
let nowMs: number;
let url: string;
let targets: GatewayTargets;

beforeEach(async () => {
  nowMs = 0;
  admission = new MemoryAdmission({ now: () => nowMs, balances: { read: async () => ({ seq: 1n, balanceNanoUsd: 100n }) } });
  parts = new OpenedParts(silentLogger, new AbortController().signal);
  const module = internalModule({ secret: SECRET, logger: silentLogger, ...admissionInternal({ admission }) });
  ({ url } = await new ServiceListeners(parts).open({ name: 'internal listener', address: { host: '127.0.0.1', port: 0 }, modules: [module] }));
  targets = parts.add('targets', new GatewayTargets({ list: async () => [{ url }], secret: SECRET, now: () => performance.now() }), (opened) => opened.close());
});
afterEach(() => parts.close());

const hold = (requestId: string, nanoUsd: bigint) =>
  admission.reserve({ accountId: ACCOUNT, requestId, amount: { inputNanoUsd: nanoUsd, worstNanoUsd: nanoUsd, firstStepNanoUsd: 0n, mode: 'limit_stated' } });

describe('the internal routes of a gateway', () => {
  it('take what the ledger posted', async () => {
    await hold(REQUEST, 60n);
    await admission.settle(ACCOUNT, REQUEST, 60n);
    const posts = new HttpAdmissionPosts({ targets, now: () => performance.now() });
    await posts.post({ accountId: ACCOUNT, seq: 9_007_199_254_740_993n, balanceNanoUsd: 40n, requestIds: [REQUEST] });
    expect(admission.outstanding()).toEqual({ held: 0, settled: 0, heldNanoUsd: 0n });
    expect(admission.unposted(0)).toEqual([{ accountId: ACCOUNT, seq: 9_007_199_254_740_993n, requestIds: [] }]);
  });

  it('tell what was settled two seconds ago and is not posted', async () => {
    await hold(REQUEST, 60n);
    await admission.settle(ACCOUNT, REQUEST, 60n);
    const view = new HttpAdmissionView(targets);
    nowMs = 1_999;
    expect(await view.unposted()).toEqual([{ accountId: ACCOUNT, seq: 1n, requestIds: [] }]);
    nowMs = 2_000;
    expect(await view.unposted()).toEqual([{ accountId: ACCOUNT, seq: 1n, requestIds: [REQUEST] }]);
  });

  it('tell of 5,000 accounts at a time, and of all of them in turn', async () => {
    const ids = Array.from({ length: 6_000 }, (_, index) => `019ab1c2-0000-7000-8000-${index.toString(16).padStart(12, '0')}`);
    for (const accountId of ids) await admission.reserve({ accountId, requestId: accountId, amount: { inputNanoUsd: 0n, worstNanoUsd: 0n, firstStepNanoUsd: 0n, mode: 'limit_stated' } });
    const view = new HttpAdmissionView(targets);
    const pages = [await view.unposted(), await view.unposted()];
    expect(pages.map(({ length }) => length)).toEqual([5_000, 1_000]);
    expect(new Set(pages.flat().map(({ accountId }) => accountId)).size).toBe(6_000);
  });

  it('tell all that admission holds, page by page, for whoever compares it with the ledger', async () => {
    const ids = Array.from({ length: 1_100 }, (_, index) => `019ab1c2-0000-7000-8000-${index.toString(16).padStart(12, '0')}`);
    const amount = { inputNanoUsd: 7n, worstNanoUsd: 7n, firstStepNanoUsd: 0n, mode: 'limit_stated' } as const;
    for (const accountId of ids) await admission.reserve({ accountId, requestId: accountId, amount });
    nowMs = 1_000;
    await admission.settle(ids[3] ?? '', ids[3] ?? '', 5n);
    nowMs = 4_000;
    const pages: AuditedAccount[][] = [];
    for await (const page of new HttpAdmissionAudit(targets).pages()) pages.push([...page]);
    expect(pages.map(({ length }) => length)).toEqual([500, 500, 100]);
    expect(pages.flat().map(({ accountId }) => accountId)).toEqual(ids);
    expect(pages[0]?.[0]).toEqual({ accountId: ids[0], seq: 1n, limitNanoUsd: 100n, heldNanoUsd: 7n, settledNanoUsd: 0n, records: [{ requestId: ids[0], state: 'held', amountNanoUsd: 7n, ageMs: 4_000 }] });
    expect(pages[0]?.[3]?.records).toEqual([{ requestId: ids[3], state: 'settled', amountNanoUsd: 5n, ageMs: 3_000 }]);
    const local: AuditedAccount[][] = [];
    for await (const page of new MemoryAdmissionAudit(admission).pages()) local.push([...page]);
    expect(local).toEqual(pages);
  });

  it('are asked of a gateway that is alive, or nothing is known', async () => {
    const none = parts.add('no targets', new GatewayTargets({ list: async () => [], secret: SECRET, now: () => performance.now() }), (opened) => opened.close());
    await expect(new HttpAdmissionAudit(none).pages().next()).rejects.toThrow('no gateway is alive');
  });

  it('are closed without the secret, and to what is no posting', async () => {
    const call = { method: 'POST', path: '/internal/gateway/admission/post', body: { postings: [{ accountId: 'nobody' }] }, deadlineMs: 2_000, read: (json: unknown) => json } as const;
    for (const [secret, status] of [['another-secret-than-the-services-have', 401], [SECRET, 400]] as const) {
      const client = parts.add('client', new InternalClient({ baseUrls: [url], secret, now: () => performance.now() }), (opened) => opened.close());
      await expect(client.call(call)).rejects.toMatchObject({ failure: 'refused', status });
    }
  });
});

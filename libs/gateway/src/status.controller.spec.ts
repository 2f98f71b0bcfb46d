import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { HttpException } from '@nestjs/common';
import { MemoryAdmission } from '@tokone/admission';
import { SPOOL_RECORD } from '@tokone/events';
import { Uuid7Source } from '@tokone/protocol';
import { Spool } from '@tokone/spool';
import { silentLogger } from '@tokone/telemetry';
import { makeTemporaryFolder, waitFor } from '@tokone/testing';
import type { TemporaryFolder } from '@tokone/testing';
import { tenantKey } from './fixtures/tenant.js';
import { Gateway } from './gateway.js';
import { HoldsView, StatusController } from './status.controller.js';

const HIGH_WATER_BYTES = 1_000;
const HOLDS = { held: 1, settled: 2, heldNanoUsd: 3n };
const REST = { running: 0, holds: { held: 1, settled: 2, heldNanoUsd: '3' } };

let folder: TemporaryFolder;
let spool: Spool;
let gateway: Gateway;
let status: StatusController;
let admission: MemoryAdmission;

beforeEach(async () => {
  folder = await makeTemporaryFolder('status');
  const now = (): number => 0;
  spool = await Spool.open({ folder: folder.path, now, onAlarm: () => undefined, ballastBytes: 0, segmentBytes: 65_536, highWaterBytes: HIGH_WATER_BYTES });
  const nothing = async (): Promise<never> => Promise.reject(new Error('not asked here'));
  admission = new MemoryAdmission({ now, balances: { read: nothing } });
  gateway = new Gateway(
    {
      accounts: { findKey: async () => tenantKey, groups: async () => [] },
      balances: { balanceOf: nothing },
      admission,
      prices: { find: () => undefined, byId: nothing, models: () => [] },
      usage: { ofKey: nothing },
      adapters: new Map(),
      spool,
      ids: new Uuid7Source(now),
      logger: silentLogger,
      now,
      monotonicNow: now,
    },
    { pepper: Buffer.alloc(32, 1) },
  );
  status = new StatusController(gateway, new HoldsView(() => HOLDS));
});
afterEach(async () => {
  gateway.close();
  await spool.close();
  await folder.remove();
});

/** What the readiness answers. */
function readiness(): { code: number; body: unknown } {
  try {
    return { code: 200, body: status.ready() };
  } catch (error) {
    if (error instanceof HttpException) return { code: error.getStatus(), body: error.getResponse() };
    throw error;
  }
}

const lacking = (problems: Record<string, string>, recording = true) => ({ code: 503, body: { status: 'not_ready', problems, recording, ...REST } });

describe('the readiness of the gateway', () => {
  it('says while it starts what it waits for, and is there once it is open', async () => {
    expect(readiness()).toEqual(lacking({ start: 'The gateway starts.' }));
    gateway.startWaitsFor = 'billing, to rate what the gateways have recorded';
    expect(readiness()).toEqual(lacking({ start: 'The gateway waits for billing, to rate what the gateways have recorded.' }));
    await gateway.open();
    expect(readiness()).toEqual({ code: 200, body: { status: 'ok', recording: true, ...REST } });
  });

  it('says that it stops', async () => {
    await gateway.open();
    await gateway.drain(0);
    expect(readiness()).toEqual(lacking({ stop: 'The gateway stops.' }));
  });

  it('says that admission does not answer, in its words', async () => {
    await gateway.open();
    const sentence = 'Redis does not answer, where the balances are.';
    admission.problem = () => sentence as never;
    expect(readiness()).toEqual(lacking({ admission: sentence }));
  });

  it('says that usage cannot be recorded', async () => {
    await gateway.open();
    spool.append(SPOOL_RECORD.open, '01940000-0000-7000-8000-746f6b6f6e65', 'x'.repeat(HIGH_WATER_BYTES));
    await waitFor(() => !spool.accepting, { what: 'the spool to be above its limit', deadlineMs: 5_000 });
    expect(readiness()).toEqual(lacking({ spool: 'Usage cannot be recorded: the spool has reached its limit, or its disk takes no more.' }, false));
  });
});

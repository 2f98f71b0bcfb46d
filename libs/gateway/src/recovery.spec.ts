import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Settlement } from '@tokone/admission';
import { SPOOL_RECORD, readUsageRecorded } from '@tokone/events';
import type { OpenPayload } from '@tokone/events';
import { Spool } from '@tokone/spool';
import { silentLogger } from '@tokone/telemetry';
import { makeTemporaryFolder } from '@tokone/testing';
import type { TemporaryFolder } from '@tokone/testing';
import { ACCOUNT, GROUP, PRICE, RECORD } from './fixtures/gateway-bench.js';
import { adoptOrphans, recoverOrphans } from './recovery.js';

const REQUEST = '019ab1c2-0000-7000-8000-000000000001';
const NOW_MS = 1_767_225_600_000;
const OPEN: OpenPayload = { accountId: ACCOUNT, keyId: RECORD.keyId, groupId: GROUP, model: PRICE.model, dialect: 'openai-chat', streamed: true, priceId: PRICE.id, multiplierPpm: 1_000_000, holdNanoUsd: '1000000', estimatedInputTokens: 7, serviceTier: 'default', startedAtMs: NOW_MS, requestBytes: 28 };
/** Ten tokens at $30 per million. */
const PROGRESS = { status: 200, tokens: { output: 10 } };
const COST_NANO_USD = 300_000n;

let folder: TemporaryFolder;
let spool: Spool;
let asked: Settlement[];
let adopted: unknown[];
let monotonicMs: number;

beforeEach(async () => {
  folder = await makeTemporaryFolder('recovery');
  [asked, adopted, monotonicMs] = [[], [], 0];
  const before = await openSpool();
  before.append(SPOOL_RECORD.open, REQUEST, JSON.stringify(OPEN));
  before.append(SPOOL_RECORD.progress, REQUEST, JSON.stringify(PROGRESS));
  await new Promise<void>((resolve, reject) => before.written({ spooled: (error) => (error ? reject(error) : resolve()) }));
  await before.close();
  spool = await openSpool();
});
afterEach(async () => {
  await spool.close();
  await folder.remove();
});

function openSpool(): Promise<Spool> {
  return Spool.open({ folder: folder.path, now: () => NOW_MS, onAlarm: () => undefined, ballastBytes: 0 });
}

/** What the CLOSE of the orphan grants, with an admission that answers so. */
async function recoveredWith(settle: (settlement: Settlement) => Promise<bigint>): Promise<bigint> {
  const admission = {
    adopt: (hold: unknown) => void adopted.push(hold),
    settle: (_accountId: string, settlement: Settlement) => {
      asked.push(settlement);
      monotonicMs += 30_000;
      return settle(settlement);
    },
  };
  const prices = { find: () => PRICE, byId: async () => PRICE, models: () => [PRICE] };
  const closed: string[] = [];
  const append = spool.append.bind(spool);
  spool.append = (type, id, payload) => {
    if (type === SPOOL_RECORD.close) closed.push(String(payload));
    return append(type, id, payload);
  };
  adoptOrphans({ spool, admission, now: () => NOW_MS });
  expect(await recoverOrphans({ spool, prices, admission, logger: silentLogger, now: () => NOW_MS, monotonicNow: () => monotonicMs })).toBe(1);
  return readUsageRecorded(closed[0] ?? '').grantNanoUsd;
}

describe('what a crash left open', () => {
  it('is told as held before it is settled, and charged what admission grants, be it less than the hold', async () => {
    expect(await recoveredWith(async () => 250_000n)).toBe(250_000n);
    expect(adopted).toEqual([{ accountId: ACCOUNT, requestId: REQUEST, heldNanoUsd: 1_000_000n }]);
    expect(asked).toEqual([{ requestId: REQUEST, costNanoUsd: COST_NANO_USD, heldNanoUsd: 1_000_000n, mayBeLess: true }]);
  });

  it('is never charged more than it cost', async () => {
    expect(await recoveredWith(async () => 900_000n)).toBe(COST_NANO_USD);
  });

  it('is charged up to its hold when admission never answers, and handed to the driver, which gives the hold up', async () => {
    expect(await recoveredWith(() => Promise.reject(new Error('no answer')))).toBe(COST_NANO_USD);
    expect(asked.length).toBeGreaterThan(2);
    expect(asked.at(-1)).toEqual({ requestId: REQUEST, costNanoUsd: COST_NANO_USD, heldNanoUsd: 1_000_000n });
  });
});

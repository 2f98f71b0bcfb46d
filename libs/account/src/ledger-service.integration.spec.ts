import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { AdmissionPosting } from '@tokone/admission';
import type { RatedCharge } from '@tokone/events';
import type { ChargeLog } from '@tokone/messaging';
import { RecordedSpans } from '@tokone/telemetry/recorded-spans';
import { setTimeout as delay } from 'node:timers/promises';
import { BalanceSweeper } from './balance-sweeper.js';
import type { UnpostedAccount } from './balance-sweeper.js';
import { startLedgerDatabase } from './fixtures/ledger-database.js';
import type { LedgerDatabase } from './fixtures/ledger-database.js';
import { LedgerService } from './ledger-service.js';
import { ChargePosting } from './posting.js';

let ledger: LedgerDatabase;
let pushed: AdmissionPosting[];
let unposted: UnpostedAccount[];
let failPush: boolean;
let service: LedgerService;
let deliver: (charges: readonly RatedCharge[]) => Promise<void>;
let logStopped: boolean;

const admission = {
  post: async (posting: AdmissionPosting): Promise<void> => {
    if (failPush) throw new Error('admission is away');
    pushed.push(posting);
  },
};
/** Hands batches over when the spec says so. */
const charges: ChargeLog = {
  consume: async (handle) => {
    deliver = handle;
    return { caughtUp: async () => {}, stop: async () => void (logStopped = true) };
  },
};

beforeAll(async () => {
  ledger = await startLedgerDatabase();
});
afterAll(() => ledger.stop());
beforeEach(async () => {
  pushed = [];
  unposted = [];
  failPush = false;
  logStopped = false;
  ledger.alarms.length = 0;
  service = new LedgerService({ feature: ledger.feature, admission, view: { unposted: () => unposted }, charges, sweepIntervalMs: 10 });
  await service.start();
});
afterEach(() => service.stop());

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('the condition did not come true within 5 s');
    await delay(5);
  }
}

describe('the ledger service', () => {
  it('posts what the log delivers and tells admission, again for each delivery', async () => {
    const accountId = await ledger.fundedAccount(100n);
    const batch = [ledger.charge(accountId, 10n), ledger.charge(accountId, 20n)];
    const posting = { accountId, seq: 3n, balanceNanoUsd: 70n, requestIds: batch.map(({ id }) => id) };
    await deliver(batch);
    await deliver(batch);
    expect(pushed).toEqual([posting, posting]);
  });

  it('records the posting of charges whose requests are recorded', async () => {
    const tracing = new RecordedSpans();
    const traced = new LedgerService({ feature: ledger.feature, admission, view: { unposted: () => [] }, charges, tracing });
    await traced.start();
    const accountId = await ledger.fundedAccount(100n);
    const traceparent = '00-019ab1c2000070008000000000000001-00000000000000aa-01';
    const charge = { ...ledger.charge(accountId, 10n), traceparent };
    await deliver([ledger.charge(accountId, 20n), charge]);
    await traced.stop();
    expect(tracing.spans).toEqual([expect.objectContaining({ name: 'post charge', kind: 'consumer', parent: traceparent, attributes: expect.objectContaining({ requestId: charge.id, batchMessages: 2 }), ends: 1 })]);
    expect(pushed).toEqual([expect.objectContaining({ balanceNanoUsd: 70n })]);
  });

  it('lets the log repeat a batch that the database refused, and posts it then', async () => {
    const accountId = await ledger.fundedAccount(100n);
    const batch = [ledger.charge(accountId, 10n)];
    await ledger.pool.query('ALTER TABLE account.entries RENAME TO entries_away');
    await expect(deliver(batch)).rejects.toThrow('entries');
    await ledger.pool.query('ALTER TABLE account.entries_away RENAME TO entries');
    expect((await ledger.wallet(accountId)).balanceNanoUsd).toBe(100n);
    await deliver(batch);
    expect((await ledger.wallet(accountId)).balanceNanoUsd).toBe(90n);
  });

  it('repeats a push that was lost, with the balance and the ids of one moment', async () => {
    const accountId = await ledger.fundedAccount(100n);
    const [paid, free] = [ledger.charge(accountId, 10n), ledger.charge(accountId, 0n)];
    const waiting = ledger.ids.next();
    failPush = true;
    await deliver([paid, free]);
    expect(ledger.alarms).toMatchObject([{ kind: 'push_failed', accountIds: [accountId] }]);
    unposted = [{ accountId, seq: 1n, requestIds: [paid.id, free.id, waiting] }];
    failPush = false;
    await until(() => pushed.length > 0);
    expect(pushed[0]).toEqual({ accountId, seq: 2n, balanceNanoUsd: 90n, requestIds: expect.arrayContaining([paid.id, free.id]) });
    expect(pushed[0]?.requestIds).toHaveLength(2);
  });

  it('keeps a top-up that admission could not be told of, and tells it later', async () => {
    const accountId = await ledger.fundedAccount(0n);
    failPush = true;
    await service.topUps.topUp({ id: ledger.ids.next(), accountId, amountNanoUsd: 5n, actor: 'test' });
    // The sweeps fail too for a while: the push must outlive them.
    await until(() => ledger.alarms.length > 3);
    failPush = false;
    await until(() => pushed.length > 0);
    expect(pushed[0]).toEqual({ accountId, seq: 1n, balanceNanoUsd: 5n, requestIds: [] });
  });

  it('stops with the log stopped and no sweep left running', async () => {
    await service.stop();
    expect(logStopped).toBe(true);
    await service.start();
  });
});

describe('a sweep', () => {
  const sweeper = (): BalanceSweeper => {
    const raiseAlarm = (): void => {};
    return new BalanceSweeper({ pool: ledger.pool, view: { unposted: () => unposted }, admission, raiseAlarm });
  };

  it('says nothing of accounts that are in step', async () => {
    await service.stop();
    const accountId = await ledger.fundedAccount(5n);
    unposted = [{ accountId, seq: 1n, requestIds: [ledger.ids.next()] }];
    await sweeper().sweep();
    expect(pushed).toEqual([]);
  });

  it('does not take the charge of another account for the one it was asked for', async () => {
    await service.stop();
    const [accountId, other] = [await ledger.fundedAccount(5n), await ledger.fundedAccount(5n)];
    const charge = ledger.charge(other, 1n);
    await new ChargePosting(ledger.pool, () => {}).post([charge]);
    unposted = [{ accountId, seq: 1n, requestIds: [charge.id] }];
    await sweeper().sweep();
    expect(pushed).toEqual([]);
  });

  it('compares more requests than one statement takes', async () => {
    await service.stop();
    const accountId = await ledger.fundedAccount(5n);
    const charge = ledger.charge(accountId, 1n);
    await new ChargePosting(ledger.pool, () => {}).post([charge]);
    const requestIds = [...Array.from({ length: 25_000 }, () => ledger.ids.next()), charge.id];
    const other = await ledger.fundedAccount(7n);
    unposted = [{ accountId, seq: 2n, requestIds }, { accountId: other, seq: 0n, requestIds: [] }];
    await sweeper().sweep();
    expect(pushed).toEqual(
      expect.arrayContaining([
        { accountId, seq: 2n, balanceNanoUsd: 4n, requestIds: [charge.id] },
        { accountId: other, seq: 1n, balanceNanoUsd: 7n, requestIds: [] },
      ]),
    );
    expect(pushed).toHaveLength(2);
  });
});

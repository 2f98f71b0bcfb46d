import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { MOST_LIMIT_NANO_USD, MemoryAdmission, MemoryAdmissionAudit } from '@tokone/admission';
import type { AdmissionAudit, AuditedAccount } from '@tokone/admission';
import { startLedgerDatabase } from '../fixtures/ledger-database.js';
import type { LedgerDatabase } from '../fixtures/ledger-database.js';
import { ChargePosting } from '../posting.js';
import { checkAdmission } from './admission-comparison.js';
import { Findings } from './check-report.js';

let ledger: LedgerDatabase;
let admission: MemoryAdmission;
let nowMs: number;
let accountId: string;
/** Changes what is seen of the account. */
let seen: (account: AuditedAccount) => AuditedAccount;
/** After each look. */
let afterLook: () => Promise<void>;

beforeAll(async () => {
  ledger = await startLedgerDatabase();
});
afterAll(() => ledger.stop());
beforeEach(async () => {
  nowMs = 0;
  [seen, afterLook] = [(account) => account, async () => undefined];
  admission = new MemoryAdmission({ balances: ledger.feature.balances, now: () => nowMs });
  accountId = await ledger.fundedAccount(1_000n);
});

const rule = { inputNanoUsd: 100n, worstNanoUsd: 100n, firstStepNanoUsd: 0n, mode: 'limit_stated' } as const;
const reserve = (requestId: string) => admission.reserve({ accountId, requestId, amount: rule });

async function push(chargeIds: string[] = []): Promise<void> {
  const { seq, balanceNanoUsd } = await ledger.wallet(accountId);
  await admission.post({ accountId, seq, balanceNanoUsd, requestIds: chargeIds });
}

async function check(findings = new Findings()): Promise<string[]> {
  const memory = new MemoryAdmissionAudit(admission);
  const audit: AdmissionAudit = {
    async *pages() {
      for await (const page of memory.pages()) yield page.map(seen);
      await afterLook();
    },
  };
  await checkAdmission({ pool: ledger.pool, audit, secondLookMs: 1 }, findings);
  return findings.subjects.map(({ subject, detail }) => `${subject}: ${detail}`);
}

async function charge(requestId: string): Promise<void> {
  const posting = new ChargePosting(ledger.pool, () => undefined);
  await posting.post([{ id: requestId, accountId, ratedNanoUsd: 60n, chargeNanoUsd: 60n }]);
}

describe('admission against the ledger', () => {
  it('is right with a balance beyond what Redis can count, of which it has the most that it can', async () => {
    const million = 1_000_000n * 1_000_000_000n;
    accountId = await ledger.fundedAccount(million);
    for (let more = 1; more < 10; more++) await ledger.topUp(accountId, million);
    await reserve(ledger.ids.next());
    seen = (account) => ({ ...account, limitNanoUsd: MOST_LIMIT_NANO_USD });
    expect(await check()).toEqual([]);
    seen = (account) => ({ ...account, limitNanoUsd: MOST_LIMIT_NANO_USD - 1n });
    expect(await check()).toEqual([expect.stringContaining('the ledger of 10000000000000000')]);
  });

  it('is right with holds that run, requests that are settled, and after their posting', async () => {
    const [running, over] = [ledger.ids.next(), ledger.ids.next()];
    await reserve(running);
    await reserve(over);
    await admission.settle(accountId, { requestId: over, costNanoUsd: 60n, heldNanoUsd: 60n });
    expect(await check()).toEqual([]);
    await charge(over);
    await push([over]);
    expect(await check()).toEqual([]);
  });

  it('is wrong while it stays behind the ledger, and not when it has come to where the ledger was', async () => {
    await reserve(ledger.ids.next());
    await charge(ledger.ids.next());
    expect(await check()).toEqual([`account ${accountId}: admission is at sequence 1, the ledger at 2`]);
    // Under load the ledger is always ahead.
    afterLook = async () => {
      await push();
      await charge(ledger.ids.next());
    };
    expect(await check()).toEqual([]);
  });

  it.each([
    ['is ahead of the ledger', (account: AuditedAccount) => ({ ...account, seq: 9n }), 'admission is at sequence 9, the ledger at 1'],
    ['has another balance at the same sequence', (account: AuditedAccount) => ({ ...account, limitNanoUsd: 999n }), 'at sequence 1 admission has a balance of 999, the ledger of 1000'],
    ['counts other holds than it has', (account: AuditedAccount) => ({ ...account, heldNanoUsd: 99n }), 'its holds sum to 100, and count as 99'],
    ['counts other settled requests than it has', (account: AuditedAccount) => ({ ...account, settledNanoUsd: 1n }), 'its settled requests sum to 0, and count as 1'],
    ['has a hold that is older than its lease', (account: AuditedAccount) => ({ ...account, records: account.records.map((record) => ({ ...record, ageMs: 91_000, leaseMs: 90_000 })) }), 'its hold is 91 s old, its lease was 90 s'],
    ['has an account that has no wallet', (account: AuditedAccount) => ({ ...account, accountId: '019ab1c2-0000-7000-8000-000000000001' }), 'admission has it, and the ledger has no wallet of it'],
  ])('is wrong when it %s, twice', async (_what, change, detail) => {
    await reserve(ledger.ids.next());
    seen = change;
    expect(await check()).toEqual([expect.stringContaining(detail)]);
    let looks = 0;
    seen = (account) => (looks++ === 0 ? change(account) : account);
    expect(await check()).toEqual([]);
  });

  it('is wrong when a request is posted and still settled after a minute', async () => {
    const requestId = ledger.ids.next();
    await reserve(requestId);
    await admission.settle(accountId, { requestId, costNanoUsd: 60n, heldNanoUsd: 60n });
    await charge(requestId);
    await push();
    expect(await check()).toEqual([]);
    nowMs = 61_000;
    expect(await check()).toEqual([`${requestId}: it is posted, and settled in admission for 61 s`]);
  });

  it('names what is wrong with the others when an account cannot be read, and then throws', async () => {
    await reserve(ledger.ids.next());
    seen = (account) => ({ ...account, seq: 9n });
    afterLook = () => Promise.reject(new Error('1 accounts could not be read'));
    const findings = new Findings();
    await expect(check(findings)).rejects.toThrow('could not be read');
    expect(findings.subjects).toEqual([{ subject: `account ${accountId}`, detail: 'admission is at sequence 9, the ledger at 1' }]);
    seen = (account) => account;
    await expect(check()).rejects.toThrow('could not be read');
  });

  it('changes nothing that it looks at', async () => {
    await reserve(ledger.ids.next());
    const before = structuredClone(admission.audit(0));
    await check();
    expect(admission.audit(0)).toEqual(before);
  });
});

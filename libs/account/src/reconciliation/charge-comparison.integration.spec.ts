import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { RatedCharge } from '@tokone/events';
import { FIRST_ID, LAST_ID } from '@tokone/protocol';
import { startLedgerDatabase } from '../fixtures/ledger-database.js';
import type { LedgerDatabase } from '../fixtures/ledger-database.js';
import { StatedBilling } from '../fixtures/stated-deployment.js';
import { ChargePosting } from '../posting.js';
import { ChargeComparison } from './charge-comparison.js';
import { Findings, NotCheckedError } from './check-report.js';
import { LedgerCharges } from './ledger-charges.js';

let ledger: LedgerDatabase;
let posting: ChargePosting;
let accountId: string;
let billing: StatedBilling;
let settled: () => Promise<boolean>;
/** All that were rated and posted so far: billing has them in each test. */
const posted: RatedCharge[] = [];

beforeAll(async () => {
  ledger = await startLedgerDatabase();
  posting = new ChargePosting(ledger.pool, () => undefined);
  accountId = await ledger.fundedAccount(1_000n);
  await post(Array.from({ length: 35 }, (_, index) => ledger.charge(accountId, BigInt(index + 1))));
});
afterAll(() => ledger.stop());
beforeEach(() => {
  billing = new StatedBilling(10);
  billing.rate(posted);
  settled = async () => true;
});

async function post(charges: readonly RatedCharge[]): Promise<void> {
  await posting.post(charges);
  posted.push(...charges);
}

async function compared(range = { after: FIRST_ID, upTo: LAST_ID }): Promise<Findings> {
  const findings = new Findings();
  await new ChargeComparison({ rated: billing, ledger: new LedgerCharges(ledger.pool), settled: () => settled() }, findings).compare(range);
  return findings;
}

const changed = (index: number, change: Partial<RatedCharge>): void => billing.rate([{ ...(posted[index] as RatedCharge), ...change }]);

describe('rated and posted charges', () => {
  it('are equal in pages of sums, and no charge is read by itself', async () => {
    expect((await compared()).subjects).toEqual([]);
    expect(billing.looked).toEqual([]);
  });

  it('are equal when a wallet could not pay: the grant is compared, and the write-off has the rest', async () => {
    const poor = await ledger.fundedAccount(10n);
    await post([ledger.charge(poor, 8n, 8n), ledger.charge(poor, 9n, 9n), ledger.charge(poor, 5n, 4n)]);
    billing.rate(posted);
    expect((await compared()).subjects).toEqual([]);
  });

  it.each([
    ['rated and not posted', () => billing.rate([ledger.charge(accountId, 77n)]), /is rated, 77 .* and not posted$/],
    ['posted and not rated', () => void billing.facts.delete(posted[13]?.id ?? ''), /is posted, 14 .* and not rated$/],
    ['posted with another amount', () => changed(12, { ratedNanoUsd: 99n }), /is posted, 13 .* and rated, 99 /],
    ['posted for another account', () => changed(12, { accountId: ledger.ids.next() }), /of account .* and rated, /],
  ])('are named when they are %s, and only their page is read', async (_what, defect, detail) => {
    defect();
    const { mismatches, subjects } = await compared();
    expect({ mismatches, found: subjects.map((each) => each.detail) }).toEqual({ mismatches: 1, found: [expect.stringMatching(detail)] });
    expect(billing.looked).toHaveLength(1);
  });

  it('are named when two differ so that their sums do not', async () => {
    changed(2, { ratedNanoUsd: 4n, chargeNanoUsd: 4n });
    changed(3, { ratedNanoUsd: 3n, chargeNanoUsd: 3n });
    expect((await compared()).subjects.map(({ subject }) => subject)).toEqual([posted[2]?.id, posted[3]?.id]);
  });

  it('are told to be dead where the ledger could not post them', async () => {
    const dead = ledger.charge(ledger.ids.next(), 5n);
    await posting.post([dead]);
    billing.rate([dead]);
    expect((await compared()).subjects).toEqual([{ subject: dead.id, detail: expect.stringContaining('kept in dead_charges, unknown_account') }]);
  });

  it('are no mismatch while they are on their way: what was rated is posted when the ledger has caught up', async () => {
    const waiting = ledger.charge(accountId, 5n);
    billing.rate([waiting]);
    settled = async () => {
      if (!posted.includes(waiting)) await post([waiting]);
      return true;
    };
    expect((await compared()).subjects).toEqual([]);
  });

  it('are no mismatch when they come between the looks, on both sides', async () => {
    let news = 0;
    settled = async () => {
      if (news++ > 3) return true;
      const late = ledger.charge(accountId, 6n);
      billing.rate([late]);
      await post([late]);
      return true;
    };
    expect((await compared()).subjects).toEqual([]);
    expect(news).toBeGreaterThan(1);
  });

  it('are not checked while the ledger does not catch up', async () => {
    settled = async () => false;
    await expect(compared()).rejects.toThrow(NotCheckedError);
  });

  it('of 0 are rated at 0, when they are noted as done', async () => {
    const [free, stray, paid] = [ledger.charge(accountId, 0n), ledger.charge(accountId, 0n), ledger.charge(accountId, 0n)];
    await posting.post([free, stray, paid]);
    billing.rate([free, { ...paid, ratedNanoUsd: 3n, chargeNanoUsd: 0n }]);
    const { subjects } = await compared();
    const details = Object.fromEntries(subjects.filter(({ detail }) => detail.includes('charge of 0')).map(({ subject, detail }) => [subject, detail]));
    expect(details).toEqual({ [stray.id]: expect.stringContaining('billing has not rated it'), [paid.id]: expect.stringContaining('and billing has 3') });
    billing.rate([stray, paid]);
    await ledger.pool.query('DELETE FROM account.zero_charges WHERE account_id = $1', [accountId]);
  });

  it('are looked at again by their ids, however old they are', async () => {
    changed(12, { ratedNanoUsd: 99n });
    const findings = new Findings();
    const comparison = new ChargeComparison({ rated: billing, ledger: new LedgerCharges(ledger.pool), settled }, findings);
    await comparison.compareAgain([posted[12]?.id ?? '', posted[13]?.id ?? '']);
    expect(findings.subjects.map(({ subject }) => subject)).toEqual([posted[12]?.id]);
  });
});

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { RatedCharge } from '@tokone/events';
import fc from 'fast-check';
import { startLedgerDatabase } from './fixtures/ledger-database.js';
import type { LedgerDatabase } from './fixtures/ledger-database.js';
import { ledgerFaults } from './fixtures/ledger-faults.js';
import { debitsOf } from './ledger.js';
import { POSTING_STATEMENT } from './posting-statement.js';
import { ChargePosting } from './posting.js';

let ledger: LedgerDatabase;
let posting: ChargePosting;

beforeAll(async () => {
  ledger = await startLedgerDatabase();
  posting = new ChargePosting(ledger.pool, (alarm) => ledger.alarms.push(alarm));
});
afterAll(() => ledger.stop());
beforeEach(() => void (ledger.alarms.length = 0));
afterEach(async () => expect(await ledgerFaults(ledger.pool)).toEqual([]));

async function entriesOf(transferId: string): Promise<{ kind: string; amount: bigint }[]> {
  const transfer = await ledger.feature.transfers.find(transferId);
  return (transfer?.entries ?? []).map(({ kind, amountNanoUsd }) => ({ kind, amount: amountNanoUsd }));
}

async function count(sql: string, values: unknown[]): Promise<number> {
  const { rows } = await ledger.pool.query<{ count: bigint }>(sql, values);
  return Number(rows[0]?.count);
}

describe('posting charges', () => {
  it('moves a charge from the wallet to revenue and says what admission must be told', async () => {
    const accountId = await ledger.fundedAccount(1_000n);
    const charge = ledger.charge(accountId, 300n);
    expect(await posting.post([charge])).toEqual({
      accounts: [{ accountId, seq: 2n, balanceNanoUsd: 700n, chargeIds: [charge.id] }],
      newCharges: 1,
    });
    expect(await entriesOf(charge.id)).toEqual([
      { kind: 'wallet', amount: -300n },
      { kind: 'revenue', amount: 300n },
    ]);
    expect(ledger.alarms).toEqual([]);
  });

  it('charges an id once that stands twice in one batch', async () => {
    const accountId = await ledger.fundedAccount(1_000n);
    const charge = ledger.charge(accountId, 100n);
    const result = await posting.post([charge, ledger.charge(accountId, 1n), { ...charge }]);
    expect(result.newCharges).toBe(2);
    expect(await ledger.wallet(accountId)).toEqual({ seq: 3n, balanceNanoUsd: 899n });
  });

  it('charges an id once that reaches the statement twice', async () => {
    const accountId = await ledger.fundedAccount(1_000n);
    const { id } = ledger.charge(accountId, 100n);
    const hash = '00'.repeat(32);
    await ledger.pool.query(POSTING_STATEMENT, [[id, id], [accountId, accountId], [100n, 100n], [100n, 100n], [hash, hash], 0]);
    expect((await ledger.wallet(accountId)).balanceNanoUsd).toBe(900n);
  });

  it('posts a batch once that is delivered twice, and repeats what admission must be told', async () => {
    const accountId = await ledger.fundedAccount(1_000n);
    const batch = [ledger.charge(accountId, 10n), ledger.charge(accountId, 0n), ledger.charge(accountId, 20n)];
    const first = await posting.post(batch);
    const second = await posting.post(batch);
    expect(second.accounts.map((account) => ({ ...account, chargeIds: [...account.chargeIds].sort() }))).toEqual(
      first.accounts.map((account) => ({ ...account, chargeIds: [...account.chargeIds].sort() })),
    );
    expect(first.accounts[0]?.chargeIds).toHaveLength(3);
    expect(second.newCharges).toBe(0);
    expect(ledger.alarms).toEqual([]);
  });

  it('makes no transfer of a charge of 0, and remembers that it is done', async () => {
    const accountId = await ledger.fundedAccount(5n);
    const charge = ledger.charge(accountId, 0n);
    expect((await posting.post([charge])).accounts).toEqual([{ accountId, seq: 1n, balanceNanoUsd: 5n, chargeIds: [charge.id] }]);
    expect(await ledger.feature.transfers.find(charge.id)).toBeUndefined();
    await posting.post([{ ...charge, ratedNanoUsd: 3n, chargeNanoUsd: 3n }]);
    expect((await ledger.wallet(accountId)).balanceNanoUsd).toBe(5n);
    expect(ledger.alarms).toEqual([{ kind: 'dead_charge', chargeId: charge.id, accountId, reason: 'conflict' }]);
  });

  it('books what was rated above the grant to the write-off account, without an alarm', async () => {
    const accountId = await ledger.fundedAccount(1_000n);
    const charge = ledger.charge(accountId, 500n, 200n);
    const nothingGranted = ledger.charge(accountId, 40n, 0n);
    await posting.post([charge, nothingGranted]);
    expect(await entriesOf(charge.id)).toEqual([
      { kind: 'wallet', amount: -200n },
      { kind: 'write_off', amount: -300n },
      { kind: 'revenue', amount: 500n },
    ]);
    expect(await entriesOf(nothingGranted.id)).toEqual([
      { kind: 'write_off', amount: -40n },
      { kind: 'revenue', amount: 40n },
    ]);
    expect(ledger.alarms).toEqual([]);
  });

  it('takes what is left when a wallet runs out in the middle of a batch, and raises the alarm', async () => {
    const accountId = await ledger.fundedAccount(100n);
    const other = await ledger.fundedAccount(1_000n);
    const batch = [60n, 70n, 5n].map((amount) => ledger.charge(accountId, amount));
    await posting.post([...batch, ledger.charge(other, 1n)]);
    const wallets = await Promise.all(batch.map(({ id }) => entriesOf(id)));
    expect(wallets.map((entries) => entries.find(({ kind }) => kind === 'wallet')?.amount)).toEqual([-60n, -40n, undefined]);
    expect(wallets.map((entries) => entries.find(({ kind }) => kind === 'write_off')?.amount)).toEqual([undefined, -30n, -5n]);
    expect(await ledger.wallet(accountId)).toEqual({ seq: 3n, balanceNanoUsd: 0n });
    expect((await ledger.wallet(other)).balanceNanoUsd).toBe(999n);
    const short = ledger.alarms.map((alarm) => (alarm.kind === 'wallet_exhausted' ? [alarm.chargeId, alarm.shortNanoUsd] : alarm));
    expect(short).toHaveLength(2);
    expect(short).toEqual(expect.arrayContaining([[batch[1]?.id, 30n], [batch[2]?.id, 5n]]));
  });

  it('debits any sequence of charges as one after the other would', async () => {
    const amounts = fc.array(fc.record({ charge: fc.bigInt(0n, 50n), above: fc.bigInt(0n, 9n) }), { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(fc.bigInt(0n, 200n), amounts, async (balance, drafts) => {
        const accountId = await ledger.fundedAccount(balance);
        const charges = drafts.map(({ charge, above }) => ledger.charge(accountId, charge + above, charge));
        // Ids in another order than the charges: the order of the batch decides.
        const ids = charges.map(({ id }) => id).reverse();
        const batch = charges.map((charge, index) => ({ ...charge, id: ids[index] ?? charge.id }));
        await posting.post(batch);
        const debits = await Promise.all(
          batch.map(async ({ id }) => -((await entriesOf(id)).find(({ kind }) => kind === 'wallet')?.amount ?? 0n)),
        );
        expect(debits).toEqual(debitsOf(balance, batch.map(({ chargeNanoUsd }) => chargeNanoUsd)));
      }),
      { numRuns: 40 },
    );
  });

  it('keeps charges of unknown accounts aside with one alarm, and posts the rest', async () => {
    const accountId = await ledger.fundedAccount(100n);
    const stray = ledger.charge(ledger.ids.next(), 7n);
    const batch = [stray, ledger.charge(accountId, 30n)];
    expect((await posting.post(batch)).accounts.map((account) => account.accountId)).toEqual([accountId]);
    await posting.post(batch);
    expect((await ledger.wallet(accountId)).balanceNanoUsd).toBe(70n);
    expect(ledger.alarms).toEqual([{ kind: 'dead_charge', chargeId: stray.id, accountId: stray.accountId, reason: 'unknown_account' }]);
    expect(await count('SELECT count(*) FROM account.dead_charges WHERE charge_id = $1', [stray.id])).toBe(1);
  });

  it('does not charge an id again that comes with other content, and raises an alarm', async () => {
    const accountId = await ledger.fundedAccount(100n);
    const other = await ledger.fundedAccount(100n);
    const charge = ledger.charge(accountId, 30n);
    await posting.post([charge]);
    await posting.post([{ ...charge, ratedNanoUsd: 31n, chargeNanoUsd: 31n }]);
    expect((await posting.post([{ ...charge, accountId: other }])).accounts).toEqual([
      { accountId: other, seq: 1n, balanceNanoUsd: 100n, chargeIds: [] },
    ]);
    expect((await ledger.wallet(accountId)).balanceNanoUsd).toBe(70n);
    expect(ledger.alarms.map((alarm) => alarm.kind === 'dead_charge' && alarm.reason)).toEqual(['conflict', 'conflict']);
  });

  it('refuses a charge above what was rated, or absurdly high', async () => {
    const accountId = await ledger.fundedAccount(100n);
    await posting.post([ledger.charge(accountId, 1n, 2n), ledger.charge(accountId, 10n ** 17n, 1n), ledger.charge(accountId, 1n)]);
    expect((await ledger.wallet(accountId)).balanceNanoUsd).toBe(99n);
    expect(ledger.alarms.map((alarm) => alarm.kind === 'dead_charge' && alarm.reason)).toEqual(['malformed', 'malformed']);
  });

  it('posts each charge once when consumers work on overlapping batches at the same time', async () => {
    const accounts = await Promise.all(Array.from({ length: 12 }, () => ledger.fundedAccount(60_000n)));
    const expected = new Map(accounts.map((accountId) => [accountId, 60_000n]));
    for (let round = 0; round < 20; round += 1) {
      const charges = Array.from({ length: 160 }, (_, index) => {
        const accountId = accounts[(index * 7 + round) % accounts.length] ?? '';
        return ledger.charge(accountId, BigInt(1 + ((index * 13) % 40)));
      });
      for (const { accountId, chargeNanoUsd } of charges) expected.set(accountId, (expected.get(accountId) ?? 0n) - chargeNanoUsd);
      // Two that share all their charges, two that share half of them, two that share only the wallets.
      const consumers = [[0, 80], [0, 80], [40, 120], [60, 120], [120, 140], [140, 160]].map(([from, to]) => shuffled(charges.slice(from, to)));
      const results = await Promise.all(consumers.map((batch) => posting.post(batch)));
      expect(results.reduce((total, { newCharges }) => total + newCharges, 0)).toBe(charges.length);
    }
    const balances = await Promise.all(accounts.map(async (id) => [id, (await ledger.wallet(id)).balanceNanoUsd] as const));
    expect(new Map(balances)).toEqual(expected);
    expect(ledger.alarms).toEqual([]);
  });
});

function shuffled(charges: readonly RatedCharge[]): RatedCharge[] {
  return charges
    .map((charge) => ({ charge, order: Math.random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ charge }) => charge);
}

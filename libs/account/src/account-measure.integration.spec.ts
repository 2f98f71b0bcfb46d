import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { MetricRegistry, RegistryAccountMetrics } from '@tokone/telemetry';
import { LocalAccountDirectory } from './account-directory.js';
import { BalanceSweeper } from './balance-sweeper.js';
import { startLedgerDatabase } from './fixtures/ledger-database.js';
import type { LedgerDatabase } from './fixtures/ledger-database.js';
import { countNegativeWallets } from './negative-wallets.js';
import { ChargePosting } from './posting.js';

let ledger: LedgerDatabase;
let registry: MetricRegistry;
let metrics: RegistryAccountMetrics;

beforeAll(async () => {
  ledger = await startLedgerDatabase();
});
afterAll(() => ledger.stop());
beforeEach(() => {
  registry = new MetricRegistry(['account']);
  metrics = new RegistryAccountMetrics(registry);
});

/** Lines that say more than 0, without those of buckets and of time. */
async function told(): Promise<string[]> {
  return (await registry.text()).split('\n').filter((line) => /^acct_/.test(line) && !/_(bucket|sum)/.test(line) && !line.endsWith(' 0'));
}

describe('the metrics of posting', () => {
  it('say what became of each charge, what wallets paid, and what the deployment bears', async () => {
    const posting = new ChargePosting(ledger.pool, (alarm) => ledger.alarms.push(alarm), metrics);
    const accountId = await ledger.fundedAccount(1_000n);
    const [whole, granted, beyond] = [ledger.charge(accountId, 300n), ledger.charge(accountId, 500n, 200n), ledger.charge(accountId, 900n)];
    await posting.post([whole, granted]);
    await posting.post([whole, { ...whole }, beyond, { ...ledger.charge(accountId, 1n), ratedNanoUsd: -1n }, ledger.charge(ledger.ids.next(), 5n), ledger.charge(accountId, 0n)]);
    expect(await told()).toEqual([
      'acct_posted_total{result="posted"} 4',
      'acct_posted_total{result="repeated"} 2',
      'acct_posted_total{result="dead"} 2',
      'acct_posting_seconds_count 2',
      'acct_charged_nano_usd_total 1000',
      'acct_write_off_nano_usd_total 700',
    ]);
  });

  it('know what the ledger knows: paid and borne are what revenue got', async () => {
    const posting = new ChargePosting(ledger.pool, () => undefined, metrics);
    const revenue = async (): Promise<bigint> => (await ledger.pool.query<{ sum: string }>(`SELECT sum(balance)::text AS sum FROM account.ledger_accounts WHERE kind = 'revenue'`)).rows.map(({ sum }) => BigInt(sum))[0] ?? 0n;
    const before = await revenue();
    const accountId = await ledger.fundedAccount(10_000n);
    await posting.post(Array.from({ length: 50 }, (_, index) => ledger.charge(accountId, BigInt(index * 13), BigInt(index * 11))));
    const [paid, borne] = ['acct_charged_nano_usd_total', 'acct_write_off_nano_usd_total'].map((name) => new RegExp(`^${name} (\\d+)$`, 'm'));
    const text = await registry.text();
    expect(BigInt(paid?.exec(text)?.[1] ?? '') + BigInt(borne?.exec(text)?.[1] ?? '')).toBe((await revenue()) - before);
  });
});

describe('the metrics of a sweep', () => {
  it('count it, what it told admission again, and that it failed', async () => {
    const accountId = await ledger.fundedAccount(100n);
    let away = false;
    const unposted = () => {
      if (away) throw new Error('away');
      return [{ accountId, seq: 0n, requestIds: [] }];
    };
    const sweeper = new BalanceSweeper({ pool: ledger.pool, view: { unposted }, admission: { post: async () => undefined }, raiseAlarm: () => undefined, metrics });
    await sweeper.sweep();
    away = true;
    await expect(sweeper.sweep()).rejects.toThrow('away');
    expect(await told()).toEqual(['acct_sweeps_total{result="done"} 1', 'acct_sweeps_total{result="failed"} 1', 'acct_sweep_seconds_count 2', 'acct_sweep_repeated_total 1']);
  });
});

describe('the metrics of key look-ups', () => {
  it('say whether the key was known, and whether the database answered', async () => {
    await new LocalAccountDirectory(ledger.pool, metrics).findKey(Buffer.alloc(32));
    const away = { query: () => Promise.reject(new Error('away')) };
    await expect(new LocalAccountDirectory(away as unknown as typeof ledger.pool, metrics).findKey(Buffer.alloc(32))).rejects.toThrow('away');
    expect(await told()).toEqual(['acct_key_lookups_total{result="unknown"} 1', 'acct_key_lookups_total{result="failed"} 1']);
  });
});

describe('wallets below zero', () => {
  it('are counted, should the database ever have one', async () => {
    expect(await countNegativeWallets(ledger.pool)).toBe(0);
    const accountId = await ledger.fundedAccount(100n);
    const client = await ledger.pool.connect();
    try {
      await client.query('BEGIN');
      await client.query('ALTER TABLE account.ledger_accounts DROP CONSTRAINT wallet_not_below_zero');
      await client.query(`UPDATE account.ledger_accounts SET balance = -1 WHERE kind = 'wallet' AND account_id = $1`, [accountId]);
      expect(await countNegativeWallets(client)).toBe(1);
    } finally {
      await client.query('ROLLBACK');
      client.release();
    }
  });
});

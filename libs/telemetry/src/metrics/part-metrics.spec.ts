import { describe, expect, it } from '@jest/globals';
import { RegistryAccountMetrics } from './account-metrics.js';
import { RegistryBillingMetrics } from './billing-metrics.js';
import { showLag } from './lag-gauge.js';
import { MetricRegistry } from './metric-registry.js';

/** Lines that say more than 0, without those of buckets. */
async function told(registry: MetricRegistry): Promise<string[]> {
  return (await registry.text()).split('\n').filter((line) => /^[a-z]/.test(line) && !line.includes('_bucket') && !line.endsWith(' 0'));
}

describe('the metrics of billing', () => {
  it('count and measure', async () => {
    const registry = new MetricRegistry(['billing']);
    const metrics = new RegistryBillingMetrics(registry);
    metrics.batch(20);
    metrics.events('posted', 3);
    metrics.events('dead', 0);
    metrics.ratedAge(1_500);
    metrics.ratedAge(-5);
    metrics.differences(2);
    metrics.alarm('clock_fault');
    metrics.watch({ lag: () => 4, backlog: async () => ({ parked: 5, dead: { refused: 6 }, outboxRows: 7, outboxOldestSeconds: 8 }) });
    showLag(registry, 'bill_lag_records', async () => new Map([[3, 9]]));
    expect(await told(registry)).toEqual([
      'bill_events_total{result="posted"} 3',
      'bill_lag_records{partition="3"} 9',
      'bill_lag_seconds 4',
      'bill_batch_seconds_sum 0.02',
      'bill_batch_seconds_count 1',
      'bill_rated_age_seconds_sum 1.5',
      'bill_rated_age_seconds_count 2',
      'bill_parked 5',
      'bill_dead{reason="refused"} 6',
      'bill_outbox_rows 7',
      'bill_outbox_oldest_seconds 8',
      'bill_rating_difference_total 2',
      'bill_alarms_total{kind="clock_fault"} 1',
    ]);
  });
});

describe('the metrics of the account service', () => {
  it('count and measure', async () => {
    const registry = new MetricRegistry(['account']);
    const metrics = new RegistryAccountMetrics(registry);
    metrics.posting(30);
    metrics.posted('posted', 4);
    metrics.charged(1_500_000_000n, 7n);
    metrics.pushFailed(2);
    metrics.sweep('failed', 10);
    metrics.repeated(3);
    metrics.fence('passed', 250);
    metrics.opened(12, 500);
    metrics.reconciled([{ name: 'R3', state: 'wrong', mismatches: 4 }, { name: 'R6', state: 'not_applicable', mismatches: 0 }]);
    metrics.reconciled([{ name: 'R3', state: 'wrong', mismatches: 2 }]);
    metrics.keyLookup('unknown');
    metrics.alarm('dead_charge');
    metrics.watch({ negativeWallets: async () => 1 });
    metrics.watchOpenings(() => 6);
    expect(await told(registry)).toEqual([
      'acct_posted_total{result="posted"} 4',
      'acct_posting_seconds_sum 0.03',
      'acct_posting_seconds_count 1',
      'acct_charged_nano_usd_total 1500000000',
      'acct_write_off_nano_usd_total 7',
      'acct_push_failed_total 2',
      'acct_sweeps_total{result="failed"} 1',
      'acct_sweep_seconds_sum 0.01',
      'acct_sweep_seconds_count 1',
      'acct_sweep_repeated_total 3',
      'acct_fence_seconds_sum{result="passed"} 0.25',
      'acct_fence_seconds_count{result="passed"} 1',
      'acct_opening_seconds_sum 0.5',
      'acct_opening_seconds_count 1',
      'acct_opened_total 12',
      'acct_openings_waiting 6',
      'acct_reconciliation_checks_total{check="R3",state="wrong"} 2',
      'acct_reconciliation_checks_total{check="R6",state="not_applicable"} 1',
      'acct_reconciliation_mismatches{check="R3"} 2',
      'acct_negative_wallets 1',
      'acct_key_lookups_total{result="unknown"} 1',
      'acct_alarms_total{kind="dead_charge"} 1',
    ]);
  });
});

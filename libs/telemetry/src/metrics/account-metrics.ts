import type { AlarmKindOf } from './alarm-metrics.js';
import { FENCE_RESULTS, KEY_LOOKUP_RESULTS, POSTED_RESULTS, RECONCILIATION_CHECKS, RECONCILIATION_STATES, SWEEP_RESULTS } from './label-sets.js';
import type { MetricRegistry } from './metric-registry.js';

export type AccountAlarmKind = AlarmKindOf<'acct_alarms_total'>;

/** What is read when somebody looks. */
export interface AccountView {
  /** Rejects while the database is away. */
  negativeWallets(): Promise<number>;
}

/** What one check of reconciliation found. */
export interface ReconciledCheck {
  name: (typeof RECONCILIATION_CHECKS)[number];
  state: (typeof RECONCILIATION_STATES)[number];
  mismatches: number;
}

/** What the account service tells of itself. Times in milliseconds. */
export interface AccountMetrics {
  posting(durationMs: number): void;
  posted(result: (typeof POSTED_RESULTS)[number], count: number): void;
  /** Of charges that were posted now: what wallets paid, and what the deployment bears. */
  charged(paidNanoUsd: bigint, writeOffNanoUsd: bigint): void;
  pushFailed(accounts: number): void;
  sweep(result: (typeof SWEEP_RESULTS)[number], durationMs: number): void;
  /** Balances that a sweep told admission again. */
  repeated(balances: number): void;
  fence(result: (typeof FENCE_RESULTS)[number], durationMs: number): void;
  /** One round that opened accounts which admission had lost. */
  opened(accounts: number, durationMs: number): void;
  reconciled(checks: readonly ReconciledCheck[]): void;
  keyLookup(result: (typeof KEY_LOOKUP_RESULTS)[number]): void;
  /** `times`: default 1. */
  alarm(kind: AccountAlarmKind, times?: number): void;
  watch(view: AccountView): void;
  /** `waiting`: accounts that are not open yet, of those that this process was asked for. */
  watchOpenings(waiting: () => number): void;
}

/** Tells nobody. */
export const noAccountMetrics: AccountMetrics = {
  posting() {},
  posted() {},
  charged() {},
  pushFailed() {},
  sweep() {},
  repeated() {},
  fence() {},
  opened() {},
  reconciled() {},
  keyLookup() {},
  alarm() {},
  watch() {},
  watchOpenings() {},
};

/** A look through all wallets: not more often, however many look. */
const WALLETS_FRESH_MS = 30_000;

export class RegistryAccountMetrics implements AccountMetrics {
  /** Of the last run. */
  private readonly mismatches = new Map<ReconciledCheck['name'], number>();

  constructor(private readonly registry: MetricRegistry) {
    registry.readAtLook({
      gauges: ['acct_reconciliation_mismatches'],
      read: async (set) => {
        for (const [check, mismatches] of this.mismatches) set('acct_reconciliation_mismatches', { check }, mismatches);
      },
    });
  }

  posting(durationMs: number): void {
    this.registry.histogram('acct_posting_seconds').with({}).observe(durationMs / 1000);
  }

  posted(result: (typeof POSTED_RESULTS)[number], count: number): void {
    this.registry.counter('acct_posted_total').with({ result }).add(count);
  }

  /** Exact up to nine million USD since the start: more a double does not hold to the nano-USD. */
  charged(paidNanoUsd: bigint, writeOffNanoUsd: bigint): void {
    this.registry.counter('acct_charged_nano_usd_total').with({}).add(Number(paidNanoUsd));
    this.registry.counter('acct_write_off_nano_usd_total').with({}).add(Number(writeOffNanoUsd));
  }

  pushFailed(accounts: number): void {
    this.registry.counter('acct_push_failed_total').with({}).add(accounts);
  }

  sweep(result: (typeof SWEEP_RESULTS)[number], durationMs: number): void {
    this.registry.counter('acct_sweeps_total').with({ result }).add();
    this.registry.histogram('acct_sweep_seconds').with({}).observe(durationMs / 1000);
  }

  repeated(balances: number): void {
    this.registry.counter('acct_sweep_repeated_total').with({}).add(balances);
  }

  fence(result: (typeof FENCE_RESULTS)[number], durationMs: number): void {
    this.registry.histogram('acct_fence_seconds').with({ result }).observe(durationMs / 1000);
  }

  opened(accounts: number, durationMs: number): void {
    this.registry.histogram('acct_opening_seconds').with({}).observe(durationMs / 1000);
    this.registry.counter('acct_opened_total').with({}).add(accounts);
  }

  reconciled(checks: readonly ReconciledCheck[]): void {
    for (const { name: check, state, mismatches } of checks) {
      this.registry.counter('acct_reconciliation_checks_total').with({ check, state }).add();
      this.mismatches.set(check, mismatches);
    }
  }

  keyLookup(result: (typeof KEY_LOOKUP_RESULTS)[number]): void {
    this.registry.counter('acct_key_lookups_total').with({ result }).add();
  }

  alarm(kind: AccountAlarmKind, times = 1): void {
    this.registry.counter('acct_alarms_total').with({ kind }).add(times);
  }

  watch(view: AccountView): void {
    this.registry.readAtLook({
      gauges: ['acct_negative_wallets'],
      freshMs: WALLETS_FRESH_MS,
      read: async (set) => set('acct_negative_wallets', {}, await view.negativeWallets()),
    });
  }
  watchOpenings(waiting: () => number): void {
    this.registry.gauge('acct_openings_waiting', waiting);
  }
}

import type { AlarmKindOf } from './alarm-metrics.js';
import { DEAD_REASONS, EVENT_RESULTS } from './label-sets.js';
import type { DeadReason } from './label-sets.js';
import type { MetricRegistry } from './metric-registry.js';

export type BillingAlarmKind = AlarmKindOf<'bill_alarms_total'>;
export type EventResult = (typeof EVENT_RESULTS)[number];

/** What stands in billing's tables. */
export interface BillingBacklog {
  parked: number;
  dead: Partial<Record<DeadReason, number>>;
  outboxRows: number;
  outboxOldestSeconds: number;
}

/** What is read when somebody looks. */
export interface BillingView {
  /** Seconds. */
  lag(): number;
  /** Rejects while the database is away. */
  backlog(): Promise<BillingBacklog>;
}

/** What billing tells of itself. Times in milliseconds. */
export interface BillingMetrics {
  batch(durationMs: number): void;
  events(result: EventResult, count: number): void;
  /** From the end of a request to the commit of its rating. */
  ratedAge(milliseconds: number): void;
  differences(count: number): void;
  alarm(kind: BillingAlarmKind): void;
  watch(view: BillingView): void;
}

/** Tells nobody. */
export const noBillingMetrics: BillingMetrics = { batch() {}, events() {}, ratedAge() {}, differences() {}, alarm() {}, watch() {} };

/** The tables are not asked more often, however many look. */
const TABLES_FRESH_MS = 5_000;

export class RegistryBillingMetrics implements BillingMetrics {
  constructor(private readonly registry: MetricRegistry) {}

  batch(durationMs: number): void {
    this.registry.histogram('bill_batch_seconds').with({}).observe(durationMs / 1000);
  }

  events(result: EventResult, count: number): void {
    this.registry.counter('bill_events_total').with({ result }).add(count);
  }

  ratedAge(milliseconds: number): void {
    this.registry.histogram('bill_rated_age_seconds').with({}).observe(Math.max(0, milliseconds) / 1000);
  }

  differences(count: number): void {
    this.registry.counter('bill_rating_difference_total').with({}).add(count);
  }

  alarm(kind: BillingAlarmKind): void {
    this.registry.counter('bill_alarms_total').with({ kind }).add();
  }

  watch(view: BillingView): void {
    this.registry.gauge('bill_lag_seconds', () => view.lag());
    this.registry.readAtLook({
      gauges: ['bill_parked', 'bill_dead', 'bill_outbox_rows', 'bill_outbox_oldest_seconds'],
      freshMs: TABLES_FRESH_MS,
      read: async (set) => {
        const { parked, dead, outboxRows, outboxOldestSeconds } = await view.backlog();
        set('bill_parked', {}, parked);
        for (const reason of DEAD_REASONS) set('bill_dead', { reason }, dead[reason] ?? 0);
        set('bill_outbox_rows', {}, outboxRows);
        set('bill_outbox_oldest_seconds', {}, outboxOldestSeconds);
      },
    });
  }
}

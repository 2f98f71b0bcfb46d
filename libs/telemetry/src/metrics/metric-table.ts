import { alarmKinds } from './alarm-metrics.js';
import * as sets from './label-sets.js';

/** Who exposes a metric. The one process of `npm start` exposes all of them. */
export const METRIC_SERVICES = ['gateway', 'adapter', 'billing', 'account'] as const;
export type MetricService = (typeof METRIC_SERVICES)[number];

/** A label whose values are not ours: the first so many are told apart, all further ones are `other`. */
export interface OpenLabel {
  most: number;
  /** For the documentation: where the values come from. */
  from: string;
}

export interface MetricRow {
  kind: 'counter' | 'gauge' | 'histogram';
  service: MetricService;
  help: string;
  labels: Readonly<Record<string, readonly string[] | OpenLabel>>;
  /** Upper bounds of a histogram, rising, in the unit of its name. */
  buckets?: readonly number[];
}

/** Where what is beyond the bound of an open label goes. */
export const OTHER = 'other';

/** More than the price table that comes with the product has of any provider. */
export const MOST_MODELS = 120;
const MODELS: OpenLabel = { most: MOST_MODELS, from: 'models of the price book' };
const PARTITIONS: OpenLabel = { most: 128, from: 'partitions of the topic; `spool` in one process' };

const OVERHEAD = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5];
const ANSWERS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
const FIRST_BYTES = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];
const DISK = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];
const DATABASE = [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
const SHARES = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1, 1.1, 2];
const AGES = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3_600];

/**
 * Every metric of TokOne, but for those of the process itself (`process_…`, `nodejs_…`). From this table the metrics are
 * made and docs/metrics.md is written. A label never holds an account, a key, a user, a request id, or a word of a caller.
 */
export const METRICS = {
  gw_http_requests_total: { kind: 'counter', service: 'gateway', help: 'Requests of tenants whose answer has been closed, whole or not.', labels: { route: sets.ROUTES, code_class: sets.CODE_CLASSES, cause: sets.CAUSES } },
  gw_http_request_duration_seconds: { kind: 'histogram', service: 'gateway', help: 'From the head of a request to the end of its answer.', labels: { route: sets.ROUTES, code_class: sets.CODE_CLASSES }, buckets: ANSWERS },
  gw_overhead_seconds: { kind: 'histogram', service: 'gateway', help: 'Time before a request goes to an upstream, without the reading of its body.', labels: { phase: sets.OVERHEAD_PHASES }, buckets: OVERHEAD },
  gw_first_byte_seconds: { kind: 'histogram', service: 'gateway', help: 'From the head of a request to the first bytes of its answer from the upstream.', labels: {}, buckets: FIRST_BYTES },
  gw_inflight: { kind: 'gauge', service: 'gateway', help: 'Inference requests now: being read and checked, running, or read on for a client that left (these are running too).', labels: { kind: sets.INFLIGHT_KINDS } },
  gw_key_cache_total: { kind: 'counter', service: 'gateway', help: 'Keys that a request showed: known and fresh, or asked for.', labels: { result: sets.KEY_CACHE_RESULTS } },
  gw_admission_total: { kind: 'counter', service: 'gateway', help: 'Answers of admission to requests that passed all other checks.', labels: { result: sets.ADMISSION_RESULTS } },
  gw_hold_ratio: { kind: 'histogram', service: 'gateway', help: 'What a request was granted at its end, as a share of what was held for it.', labels: {}, buckets: SHARES },
  gw_holds_open: { kind: 'gauge', service: 'gateway', help: 'Running requests with a hold.', labels: {} },
  gw_holds_unposted: { kind: 'gauge', service: 'gateway', help: 'Closed requests that the ledger has not posted yet; between services those whose end Redis has not taken yet.', labels: {} },
  gw_stream_abort_total: { kind: 'counter', service: 'gateway', help: 'Streams that ended before they were whole.', labels: { by: sets.ABORTED_BY, usage_source: sets.USAGE_SOURCES } },
  gw_accepting: { kind: 'gauge', service: 'gateway', help: '1 while usage can be recorded, else 0: then no request is admitted.', labels: {} },
  gw_spool_bytes: { kind: 'gauge', service: 'gateway', help: 'Size of all segments of the spool.', labels: {} },
  gw_spool_limit_bytes: { kind: 'gauge', service: 'gateway', help: 'Size of the spool above which no request is admitted.', labels: {} },
  gw_spool_oldest_seconds: { kind: 'gauge', service: 'gateway', help: 'Age of the oldest usage record that the log has not acknowledged; 0 when there is none.', labels: {} },
  gw_spool_fsync_seconds: { kind: 'histogram', service: 'gateway', help: 'Time of one sync of the spool, for all that was written before it.', labels: {}, buckets: DISK },
  gw_spool_errors_total: { kind: 'counter', service: 'gateway', help: 'Operations that the disk of the spool refused, repetitions included.', labels: { op: sets.SPOOL_OPERATIONS } },
  gw_usage_unacked: { kind: 'gauge', service: 'gateway', help: 'Usage records in the spool that the log has not acknowledged.', labels: {} },
  gw_event_loop_lag_seconds: { kind: 'gauge', service: 'gateway', help: 'How late the event loop was, since the last time that somebody looked.', labels: { statistic: sets.DELAY_STATISTICS } },
  gw_alarms_total: { kind: 'counter', service: 'gateway', help: 'Alarms of the gateway and its spool.', labels: { kind: alarmKinds('gw_alarms_total') } },

  upstream_requests_total: { kind: 'counter', service: 'adapter', help: 'Attempts at an upstream that have ended; a request that fails over makes several.', labels: { provider: sets.PROVIDERS, model: MODELS, outcome: sets.UPSTREAM_OUTCOMES } },
  upstream_request_duration_seconds: { kind: 'histogram', service: 'adapter', help: 'From the sending of an attempt to its end.', labels: { provider: sets.PROVIDERS, model: MODELS }, buckets: ANSWERS },
  upstream_first_byte_seconds: { kind: 'histogram', service: 'adapter', help: 'From the sending of an attempt to the first bytes of a good answer.', labels: { provider: sets.PROVIDERS, model: MODELS }, buckets: FIRST_BYTES },
  upstream_failovers_total: { kind: 'counter', service: 'adapter', help: 'Requests that were tried at another upstream after one had failed.', labels: { provider: sets.PROVIDERS } },

  bill_events_total: { kind: 'counter', service: 'billing', help: 'Records of usage by what became of them: posted is rated and handed to the outbox. What is delivered again is a duplicate, or parked again.', labels: { result: sets.EVENT_RESULTS } },
  bill_lag_records: { kind: 'gauge', service: 'billing', help: 'Records of usage behind the cursor of each partition, of all replicas together.', labels: { partition: PARTITIONS } },
  bill_lag_seconds: { kind: 'gauge', service: 'billing', help: 'Age of the oldest record of usage that this process has in hand and not yet stored; 0 when it has none.', labels: {} },
  bill_batch_seconds: { kind: 'histogram', service: 'billing', help: 'Time to rate and store one batch, failures included.', labels: {}, buckets: DATABASE },
  bill_rated_age_seconds: { kind: 'histogram', service: 'billing', help: 'From the end of a request to the commit of its rating, for what is new.', labels: {}, buckets: AGES },
  bill_parked: { kind: 'gauge', service: 'billing', help: 'Events that cannot be charged as they stand.', labels: {} },
  bill_dead: { kind: 'gauge', service: 'billing', help: 'Records that could not be read or stored, kept for ever.', labels: { reason: sets.DEAD_REASONS } },
  bill_outbox_rows: { kind: 'gauge', service: 'billing', help: 'Batches of charges that are not handed on yet.', labels: {} },
  bill_outbox_oldest_seconds: { kind: 'gauge', service: 'billing', help: 'Age of the oldest of them; 0 when there is none.', labels: {} },
  bill_rating_difference_total: { kind: 'counter', service: 'billing', help: 'Requests that the gateway settled with another cost than billing rated.', labels: {} },
  bill_alarms_total: { kind: 'counter', service: 'billing', help: 'Alarms of billing.', labels: { kind: alarmKinds('bill_alarms_total') } },

  acct_posted_total: { kind: 'counter', service: 'account', help: 'Charges by what became of them: posted for the first time, posted before, or kept as dead.', labels: { result: sets.POSTED_RESULTS } },
  acct_posting_seconds: { kind: 'histogram', service: 'account', help: 'Time to post one batch of charges, failures included.', labels: {}, buckets: DATABASE },
  acct_charged_nano_usd_total: { kind: 'counter', service: 'account', help: 'What wallets paid for charges, nano-USD.', labels: {} },
  acct_write_off_nano_usd_total: { kind: 'counter', service: 'account', help: 'What the deployment bears of charges, nano-USD.', labels: {} },
  acct_push_failed_total: { kind: 'counter', service: 'account', help: 'Balances that admission did not take; a sweep repeats each.', labels: {} },
  acct_sweeps_total: { kind: 'counter', service: 'account', help: 'Comparisons of admission with the ledger.', labels: { result: sets.SWEEP_RESULTS } },
  acct_sweep_seconds: { kind: 'histogram', service: 'account', help: 'Time of one comparison.', labels: {}, buckets: DATABASE },
  acct_sweep_repeated_total: { kind: 'counter', service: 'account', help: 'Balances that a comparison found missing in admission, and told again.', labels: {} },
  acct_fence_seconds: { kind: 'histogram', service: 'account', help: 'Time of one passage of the fence, for accounts that admission does not know or for holds that nobody ends.', labels: { result: sets.FENCE_RESULTS }, buckets: AGES },
  acct_opening_seconds: { kind: 'histogram', service: 'account', help: 'Time of one round that opened accounts which admission had lost, the fence included; none in one process.', labels: {}, buckets: AGES },
  acct_opened_total: { kind: 'counter', service: 'account', help: 'Accounts opened in such rounds.', labels: {} },
  acct_openings_waiting: { kind: 'gauge', service: 'account', help: 'Accounts that this process has been asked to open, and has not yet; none in one process.', labels: {} },
  acct_reconciliation_checks_total: { kind: 'counter', service: 'account', help: 'Checks of reconciliation by what they found.', labels: { check: sets.RECONCILIATION_CHECKS, state: sets.RECONCILIATION_STATES } },
  acct_reconciliation_mismatches: { kind: 'gauge', service: 'account', help: 'Mismatches that the last run of each check found in this process. Any but 0 is a defect, or on its way to one.', labels: { check: sets.RECONCILIATION_CHECKS } },
  acct_negative_wallets: { kind: 'gauge', service: 'account', help: 'Wallets below zero: the database forbids them, so any is a defect.', labels: {} },
  acct_lag_records: { kind: 'gauge', service: 'account', help: 'Batches of charges behind the cursor of each partition, of all replicas together; none in one process, see bill_outbox_rows.', labels: { partition: PARTITIONS } },
  acct_key_lookups_total: { kind: 'counter', service: 'account', help: 'Keys that were looked up in the database.', labels: { result: sets.KEY_LOOKUP_RESULTS } },
  acct_alarms_total: { kind: 'counter', service: 'account', help: 'Alarms of the account service.', labels: { kind: alarmKinds('acct_alarms_total') } },
} as const satisfies Record<string, MetricRow>;

export type MetricName = keyof typeof METRICS;
/** Names of one kind. */
export type NameOf<Kind extends MetricRow['kind']> = { [Name in MetricName]: (typeof METRICS)[Name]['kind'] extends Kind ? Name : never }[MetricName];
type ValueOf<Values> = Values extends readonly (infer Value extends string)[] ? Value : string;
/** The labels that a series of this metric has. */
export type LabelsOf<Name extends MetricName> = { [Label in keyof (typeof METRICS)[Name]['labels']]: ValueOf<(typeof METRICS)[Name]['labels'][Label]> };

export function metricsOf(services: readonly MetricService[]): MetricName[] {
  return (Object.keys(METRICS) as MetricName[]).filter((name) => services.includes(METRICS[name].service));
}

/** How many label sets a metric can have at most. */
export function labelSetsOf({ labels }: MetricRow): number {
  return Object.values(labels).reduce((product, values) => product * ('most' in values ? values.most + 1 : values.length), 1);
}

/** How many lines of numbers a metric can have at most: a histogram has one for each bucket, one beyond the last, a sum and a count. */
export function seriesBoundOf(row: MetricRow): number {
  return labelSetsOf(row) * (row.buckets === undefined ? 1 : row.buckets.length + 3);
}

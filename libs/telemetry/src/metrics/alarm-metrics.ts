/**
 * Every alarm of the product and the counter that shows it: an alarm is a line in a log for people, and this is the
 * same for whoever looks at numbers. A part can raise only what stands here: its alarms are counted by these types.
 */
export const ALARM_METRICS = {
  // libs/spool: see SpoolAlarmKind. `…_resumed`, `…_restored` and `below_…` tell of an end.
  torn_tail: 'gw_alarms_total',
  damaged: 'gw_alarms_total',
  write_failed: 'gw_alarms_total',
  write_resumed: 'gw_alarms_total',
  sync_failed: 'gw_alarms_total',
  ballast_missing: 'gw_alarms_total',
  ballast_restored: 'gw_alarms_total',
  high_water: 'gw_alarms_total',
  below_high_water: 'gw_alarms_total',
  cursor_ahead: 'gw_alarms_total',
  // libs/gateway and its main
  spool_lost: 'gw_alarms_total',
  spool_id_not_kept: 'gw_alarms_total',
  orphan_unreadable: 'gw_alarms_total',
  close_not_written: 'gw_alarms_total',
  usage_not_rated: 'gw_alarms_total',
  exchange_failed: 'gw_alarms_total',
  shipping_failed: 'gw_alarms_total',
  // libs/billing and its main
  rating_failed: 'bill_alarms_total',
  rating_stands_still: 'bill_alarms_total',
  rating_difference: 'bill_alarms_total',
  clock_fault: 'bill_alarms_total',
  usage_conflict: 'bill_alarms_total',
  usage_parked: 'bill_alarms_total',
  usage_dead: 'bill_alarms_total',
  parked_refused: 'bill_alarms_total',
  parked_unreadable: 'bill_alarms_total',
  // libs/account: see AccountAlarm
  wallet_exhausted: 'acct_alarms_total',
  dead_charge: 'acct_alarms_total',
  push_failed: 'acct_alarms_total',
  sweep_failed: 'acct_alarms_total',
  gateway_not_heard: 'acct_alarms_total',
  holds_left_behind: 'acct_alarms_total',
  changes_not_published: 'acct_alarms_total',
  management_failed: 'acct_alarms_total',
  posting_failed: 'acct_alarms_total',
} as const satisfies Record<string, `${'gw' | 'bill' | 'acct'}_alarms_total`>;

type AlarmTable = typeof ALARM_METRICS;
export type AlarmMetric = AlarmTable[keyof AlarmTable];
/** The kinds that a counter shows. */
export type AlarmKindOf<Metric extends AlarmMetric> = { [Kind in keyof AlarmTable]: AlarmTable[Kind] extends Metric ? Kind : never }[keyof AlarmTable];

/** The kinds that a counter shows, in the order of the table. */
export function alarmKinds<Metric extends AlarmMetric>(metric: Metric): readonly AlarmKindOf<Metric>[] {
  const kinds = Object.keys(ALARM_METRICS) as (keyof AlarmTable)[];
  return kinds.filter((kind): kind is AlarmKindOf<Metric> => ALARM_METRICS[kind] === metric);
}

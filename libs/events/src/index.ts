export { USAGE_OUTCOMES, readUsageRecorded, usageRecordedSchema, writeUsageRecorded } from './usage-recorded.js';
export type { UsageOutcome, UsageRecorded } from './usage-recorded.js';
export { chargeRatedSchema, readChargeRated, writeChargeRated } from './charge-rated.js';
export type { ChargeRated, RatedCharge } from './charge-rated.js';
export { SPOOL_RECORD } from './spool-record.js';
export type { ExtendPayload, OpenPayload, ProgressPayload, SpoolRecordType } from './spool-record.js';

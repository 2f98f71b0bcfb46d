export type { Consumption, EventLog, LogBatch, LogConsumer, LogRecord } from './event-log.js';
export { SpoolEventLog } from './spool-event-log.js';
export type { ConsumptionOptions, ConsumptionTrouble } from './spool-consumption.js';
export { CatchUpError } from './catch-up-error.js';
export type { ChargeLog } from './charge-log.js';

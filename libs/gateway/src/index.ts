export { Gateway } from './gateway.js';
export type { GatewayOptions } from './gateway.js';
export { DEFAULT_LIMITS } from './gateway-context.js';
export type { GatewayLimits, GatewayPorts } from './gateway-context.js';
export { GatewayModule, GatewayStatusModule } from './gateway.module.js';
export { recordsInternal } from './records.controller.js';
export { SpoolRecords } from './spool-records.js';
export type { SpoolRecordsParts } from './spool-records.js';
export { watchSpoolIdentity } from './spool-identity.js';

export type {
  Admission,
  AdmissionPosting,
  BalanceSource,
  ExtendResult,
  HoldRule,
  ReserveRequest,
  ReserveResult,
  Settlement,
} from './admission.js';
export { decideHold } from './decide-hold.js';
export type { HoldDecision } from './decide-hold.js';
export { LIMIT_KINDS } from './limits/account-limits.js';
export type { LimitKind, LimitRefusal } from './limits/account-limits.js';
export { MemoryAdmission } from './memory-admission.js';
export type { MemoryAdmissionOptions, UnpostedRecords } from './memory-admission.js';
export type { AccountOpener } from './redis/account-opener.js';
export { GatewayClients } from './redis/gateway-clients.js';
export { GatewayHolds } from './redis/gateway-holds.js';
export { gatewayHoldsInternal } from './redis/gateway-holds.controller.js';
export { HttpAccountOpener } from './redis/http-account-opener.js';
export { openQuestion, writeOpenAnswer } from './redis/opening-wire.js';
export type { Announcement, RunningAnswer } from './redis/opening-wire.js';
export { RedisAdmission } from './redis/redis-admission.js';
export { COLD, HOLD_LEASE_MS, MOST_LIMIT_NANO_USD, RedisAccounts } from './redis/redis-accounts.js';
export type { AnnouncedHold, StoredRecord } from './redis/redis-accounts.js';
export { readStoredAccount } from './redis/stored-account.js';
export type { StoredAccount, StoredHold } from './redis/stored-account.js';
export { MemoryAdmissionAudit } from './admission-audit.js';
export type { AdmissionAudit, AuditedAccount, AuditedRecord } from './admission-audit.js';
export { RedisAdmissionAudit } from './redis/redis-admission-audit.js';

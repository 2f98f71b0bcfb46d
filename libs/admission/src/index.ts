export { admissionInternal } from './admission.controller.js';
export type {
  Admission,
  AdmissionPosting,
  BalanceSource,
  ExtendResult,
  HoldRule,
  ReserveRequest,
  ReserveResult,
} from './admission.js';
export { decideHold } from './decide-hold.js';
export type { HoldDecision } from './decide-hold.js';
export { MemoryAdmission } from './memory-admission.js';
export type { MemoryAdmissionOptions, UnpostedRecords } from './memory-admission.js';
export { GatewayTargets } from './gateway-targets.js';
export type { GatewayTargetsOptions } from './gateway-targets.js';
export { HttpAdmissionPosts } from './http-admission-posts.js';
export type { HttpAdmissionPostsOptions } from './http-admission-posts.js';
export { HttpAdmissionView } from './http-admission-view.js';
export { MemoryAdmissionAudit } from './admission-audit.js';
export type { AdmissionAudit, AuditedAccount, AuditedRecord } from './admission-audit.js';
export { HttpAdmissionAudit } from './http-admission-audit.js';

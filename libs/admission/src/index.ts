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

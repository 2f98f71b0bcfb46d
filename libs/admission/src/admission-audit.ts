/**
 * What admission holds, for whoever compares it with the ledger. Reads only, and changes nothing that it reads: every
 * account is of one moment, two accounts need not be. Money is nano-USD.
 */
export interface AdmissionAudit {
  /** Every loaded account once, in pages; accounts that come or go meanwhile may be missing. Throws when a part of admission does not answer, behind the accounts of all others. */
  pages(): AsyncIterable<readonly AuditedAccount[]>;
}

export interface AuditedAccount {
  accountId: string;
  /** Ledger sequence that admission knows, and the balance that it had at it. */
  seq: bigint;
  limitNanoUsd: bigint;
  /** As admission counts them: the sums of its records by state. */
  heldNanoUsd: bigint;
  settledNanoUsd: bigint;
  records: AuditedRecord[];
}

export interface AuditedRecord {
  requestId: string;
  state: 'held' | 'settled';
  amountNanoUsd: bigint;
  /** Since it came into this state. */
  ageMs: number;
  /** How old a hold may become without its gateway; absent where holds have no lease. */
  leaseMs?: number;
}

/** Of the admission of one process. */
export interface AuditPage {
  accounts: AuditedAccount[];
  /** The next page begins behind it; undefined: there is none. */
  last: number | undefined;
}

/** Accounts of a page, and records at which a page ends. */
export const AUDITED_ACCOUNTS = 500;
export const AUDITED_RECORDS = 5_000;

/** The audit of the admission of this process. */
export class MemoryAdmissionAudit implements AdmissionAudit {
  constructor(private readonly admission: { audit(after: number): AuditPage }) {}

  async *pages(): AsyncGenerator<AuditedAccount[]> {
    for (let after: number | undefined = 0; after !== undefined; ) {
      const { accounts, last } = this.admission.audit(after);
      yield accounts;
      after = last;
    }
  }
}

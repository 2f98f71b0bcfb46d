import type {
  Admission,
  AdmissionPosting,
  BalanceSource,
  ExtendResult,
  ReserveRequest,
  ReserveResult,
  Settlement,
} from './admission.js';
import { AccountHolds } from './account-holds.js';
import { AUDITED_ACCOUNTS, AUDITED_RECORDS } from './admission-audit.js';
import type { AuditPage, AuditedAccount } from './admission-audit.js';
import { AccountLimits } from './limits/account-limits.js';

export interface MemoryAdmissionOptions {
  balances: BalanceSource;
  /** Milliseconds, any monotonic origin. */
  now: () => number;
  /** Most accounts kept; those without records go first. */
  maxAccounts?: number;
}

/** Rises with each account that is loaded, so that a page can say where it ended. */
class LoadedAccount extends AccountHolds {
  readonly limits = new AccountLimits();

  constructor(
    readonly loadNumber: number,
    seq: bigint,
    limitNanoUsd: bigint,
  ) {
    super(seq, limitNanoUsd);
  }
}

interface Loading {
  done: Promise<LoadedAccount | undefined>;
  /** The newest posting that arrived while the balance was being read. */
  latest: AdmissionPosting | undefined;
}

/** An account as admission knows it, for the sweeper to compare with the ledger; `requestIds` are settled and not posted. */
export interface UnpostedRecords {
  accountId: string;
  seq: bigint;
  requestIds: string[];
}

/**
 * Admission for one process: the event loop makes every action atomic. State is lost with the process, so its owner
 * opens it only after everything that the spool and the outbox still hold has been posted.
 */
export class MemoryAdmission implements Admission {
  private readonly accounts = new Map<string, LoadedAccount>();
  private readonly loading = new Map<string, Loading>();
  private readonly maxAccounts: number;
  private loadNumber = 0;

  constructor(private readonly options: MemoryAdmissionOptions) {
    this.maxAccounts = options.maxAccounts ?? 100_000;
  }

  async reserve(request: ReserveRequest): Promise<ReserveResult> {
    let account = this.accounts.get(request.accountId);
    // Asked again after each load: another one may have pushed this account out before we could take our hold.
    while (account === undefined) {
      try {
        if ((await this.load(request.accountId)) === undefined) return { status: 'unavailable' };
      } catch (cause) {
        return { status: 'unavailable', cause };
      }
      account = this.accounts.get(request.accountId);
    }
    return admit(account, request, this.options.now());
  }

  extend(accountId: string, requestId: string, byNanoUsd: bigint): Promise<ExtendResult> {
    return Promise.resolve(this.accounts.get(accountId)?.extend(requestId, byNanoUsd) ?? { addedNanoUsd: 0n, holdNanoUsd: 0n });
  }

  settle(accountId: string, settlement: Settlement): Promise<bigint> {
    const account = this.accounts.get(accountId);
    // Only an account without records is ever pushed out, so this one was posted.
    if (!account) return Promise.resolve(settlement.costNanoUsd);
    account.limits.end(settlement.requestId, settlement.usedTokens, this.options.now());
    return Promise.resolve(account.settle(settlement, this.options.now()));
  }

  release(accountId: string, requestId: string): Promise<void> {
    const account = this.accounts.get(accountId);
    account?.release(requestId);
    account?.limits.end(requestId, 0, this.options.now());
    return Promise.resolve();
  }

  /** State goes with the process; what a former run held is settled before anyone is admitted. */
  adopt(): void {}

  post(posting: AdmissionPosting): Promise<void> {
    const loading = this.loading.get(posting.accountId);
    if (loading && (loading.latest === undefined || posting.seq > loading.latest.seq)) loading.latest = posting;
    const account = this.accounts.get(posting.accountId);
    account?.post(posting);
    for (const requestId of posting.requestIds) account?.limits.end(requestId, undefined, this.options.now());
    return Promise.resolve();
  }

  problem(): undefined {}

  /**
   * For the sweeper of the account service: every loaded account, because a lost push of a top-up leaves no record
   * behind, and its settled records older than `olderThanMs`.
   */
  unposted(olderThanMs: number): UnpostedRecords[] {
    const before = this.options.now() - olderThanMs;
    return Array.from(this.accounts, ([accountId, account]) => ({ accountId, seq: account.seq, requestIds: settledBefore(account, before) }));
  }

  /** Holds and settled records now, for health and tests. */
  outstanding(): { held: number; settled: number; heldNanoUsd: bigint } {
    let held = 0;
    let settled = 0;
    let heldNanoUsd = 0n;
    for (const account of this.accounts.values()) {
      heldNanoUsd += account.heldNanoUsd;
      for (const record of account.records.values()) {
        if (record.state === 'held') held++;
        else settled++;
      }
    }
    return { held, settled, heldNanoUsd };
  }

  /** For reconciliation: accounts that were loaded after the `after`th, as many as a page takes. Changes nothing. */
  audit(after: number): AuditPage {
    const nowMs = this.options.now();
    const page: AuditPage = { accounts: [], last: undefined };
    let records = 0;
    let last = after;
    for (const [accountId, account] of this.accounts) {
      if (account.loadNumber <= after) continue;
      if (page.accounts.length >= AUDITED_ACCOUNTS || records >= AUDITED_RECORDS) {
        page.last = last;
        break;
      }
      page.accounts.push(auditOf(accountId, account, nowMs));
      records += account.records.size;
      last = account.loadNumber;
    }
    return page;
  }

  private load(accountId: string): Promise<LoadedAccount | undefined> {
    const running = this.loading.get(accountId);
    if (running) return running.done;
    const loading: Loading = { done: Promise.resolve(undefined), latest: undefined };
    loading.done = this.readBalance(accountId, loading).finally(() => this.loading.delete(accountId));
    this.loading.set(accountId, loading);
    return loading.done;
  }

  private async readBalance(accountId: string, loading: Loading): Promise<LoadedAccount | undefined> {
    const read = await this.options.balances.read(accountId);
    if (read === undefined) return undefined;
    const account = new LoadedAccount(++this.loadNumber, read.seq, read.balanceNanoUsd);
    // A posting that committed after our read and was pushed before we could take it would otherwise be lost.
    if (loading.latest) account.post(loading.latest);
    this.makeRoom();
    this.accounts.set(accountId, account);
    return account;
  }

  private makeRoom(): void {
    if (this.accounts.size < this.maxAccounts) return;
    for (const [accountId, account] of this.accounts) {
      if (account.records.size > 0) continue;
      this.accounts.delete(accountId);
      if (this.accounts.size < this.maxAccounts) return;
    }
  }
}

/** The balance first: where that does not do, no wait helps. */
function admit(account: LoadedAccount, { requestId, amount, limits = [], tokens = 0 }: ReserveRequest, nowMs: number): ReserveResult {
  const repeated = account.records.has(requestId);
  const result = account.reserve(requestId, amount, nowMs);
  if (repeated || limits.length === 0 || result.status !== 'held') return result;
  const refusal = account.limits.count({ requestId, limits, tokens }, nowMs);
  if (refusal === undefined) return result;
  account.release(requestId);
  return { status: 'limited', ...refusal };
}

function auditOf(accountId: string, { seq, limitNanoUsd, heldNanoUsd, settledNanoUsd, records }: AccountHolds, nowMs: number): AuditedAccount {
  const audited = Array.from(records, ([requestId, { state, amountNanoUsd, sinceMs }]) => ({ requestId, state, amountNanoUsd, ageMs: nowMs - sinceMs }));
  return { accountId, seq, limitNanoUsd, heldNanoUsd, settledNanoUsd, records: audited };
}

function settledBefore({ records }: AccountHolds, beforeMs: number): string[] {
  const ids: string[] = [];
  for (const [id, record] of records) if (record.state === 'settled' && record.sinceMs <= beforeMs) ids.push(id);
  return ids;
}

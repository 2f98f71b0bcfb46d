import type {
  Admission,
  AdmissionPosting,
  BalanceSource,
  ExtendResult,
  ReserveRequest,
  ReserveResult,
} from './admission.js';
import { AUDITED_ACCOUNTS, AUDITED_RECORDS } from './admission-audit.js';
import type { AuditPage, AuditedAccount } from './admission-audit.js';
import { decideHold } from './decide-hold.js';

export interface MemoryAdmissionOptions {
  balances: BalanceSource;
  /** Milliseconds, any monotonic origin. */
  now: () => number;
  /** Most accounts kept; those without records go first. */
  maxAccounts?: number;
}

interface RequestRecord {
  state: 'held' | 'settled';
  amountNanoUsd: bigint;
  heldAtMs: number;
  settledAtMs: number;
  /** As first answered, for a repeated reserve. */
  extendable: boolean;
  whole: boolean;
}

interface AccountState {
  /** Rises with each account that is loaded, so that a page can say where it ended. */
  loadNumber: number;
  seq: bigint;
  limitNanoUsd: bigint;
  heldNanoUsd: bigint;
  settledNanoUsd: bigint;
  records: Map<string, RequestRecord>;
}

interface Loading {
  done: Promise<AccountState | undefined>;
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
  private readonly accounts = new Map<string, AccountState>();
  private readonly loading = new Map<string, Loading>();
  /** Accounts with settled records, and some that had some until a moment ago. */
  private readonly settling = new Map<string, AccountState>();
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
    return hold(account, request, this.options.now());
  }

  extend(accountId: string, requestId: string, byNanoUsd: bigint): Promise<ExtendResult> {
    const account = this.accounts.get(accountId);
    const record = account?.records.get(requestId);
    if (!account || record?.state !== 'held') return Promise.resolve({ addedNanoUsd: 0n, holdNanoUsd: 0n });
    const addedNanoUsd = smaller(byNanoUsd, available(account));
    record.amountNanoUsd += addedNanoUsd;
    account.heldNanoUsd += addedNanoUsd;
    return Promise.resolve({ addedNanoUsd, holdNanoUsd: record.amountNanoUsd });
  }

  settle(accountId: string, requestId: string, costNanoUsd: bigint): Promise<bigint> {
    const account = this.accounts.get(accountId);
    const record = account?.records.get(requestId);
    if (!account || !record) return Promise.resolve(costNanoUsd);
    if (record.state === 'settled') return Promise.resolve(record.amountNanoUsd);
    const grantNanoUsd = smaller(costNanoUsd, record.amountNanoUsd + available(account));
    account.heldNanoUsd -= record.amountNanoUsd;
    if (costNanoUsd === 0n) {
      // Nothing will be posted for it, so nothing would ever remove the record.
      account.records.delete(requestId);
      return Promise.resolve(0n);
    }
    account.settledNanoUsd += grantNanoUsd;
    record.state = 'settled';
    record.amountNanoUsd = grantNanoUsd;
    record.settledAtMs = this.options.now();
    this.settling.set(accountId, account);
    return Promise.resolve(grantNanoUsd);
  }

  release(accountId: string, requestId: string): Promise<void> {
    const account = this.accounts.get(accountId);
    if (account && account.records.get(requestId)?.state === 'held') drop(account, requestId);
    return Promise.resolve();
  }

  post(posting: AdmissionPosting): Promise<void> {
    const loading = this.loading.get(posting.accountId);
    if (loading && (loading.latest === undefined || posting.seq > loading.latest.seq)) loading.latest = posting;
    const account = this.accounts.get(posting.accountId);
    if (account) apply(account, posting);
    return Promise.resolve();
  }

  /**
   * For the sweeper of the account service: every loaded account, because a lost push of a top-up leaves no record
   * behind, and its settled records older than `olderThanMs`.
   */
  unposted(olderThanMs: number): UnpostedRecords[] {
    const before = this.options.now() - olderThanMs;
    return Array.from(this.accounts, ([accountId, account]) => ({ accountId, seq: account.seq, requestIds: settledBefore(account, before) }));
  }

  /** The part of it that has such records. What it costs grows with the running and the settled requests only. */
  waiting(olderThanMs: number): UnpostedRecords[] {
    const before = this.options.now() - olderThanMs;
    const found: UnpostedRecords[] = [];
    for (const [accountId, account] of this.settling) {
      const requestIds = settledBefore(account, before);
      if (requestIds.length > 0) found.push({ accountId, seq: account.seq, requestIds });
      else if (!hasSettled(account)) this.settling.delete(accountId);
    }
    return found;
  }

  /** Every loaded account, in order of loading. It may be read on while accounts come and go. */
  *loaded(): Generator<{ accountId: string; seq: bigint }> {
    for (const [accountId, { seq }] of this.accounts) yield { accountId, seq };
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

  private load(accountId: string): Promise<AccountState | undefined> {
    const running = this.loading.get(accountId);
    if (running) return running.done;
    const loading: Loading = { done: Promise.resolve(undefined), latest: undefined };
    loading.done = this.readBalance(accountId, loading).finally(() => this.loading.delete(accountId));
    this.loading.set(accountId, loading);
    return loading.done;
  }

  private async readBalance(accountId: string, loading: Loading): Promise<AccountState | undefined> {
    const read = await this.options.balances.read(accountId);
    if (read === undefined) return undefined;
    const account: AccountState = {
      loadNumber: ++this.loadNumber,
      seq: read.seq,
      limitNanoUsd: read.balanceNanoUsd,
      heldNanoUsd: 0n,
      settledNanoUsd: 0n,
      records: new Map(),
    };
    // A posting that committed after our read and was pushed before we could take it would otherwise be lost.
    if (loading.latest) apply(account, loading.latest);
    this.makeRoom();
    this.accounts.set(accountId, account);
    return account;
  }

  private makeRoom(): void {
    if (this.accounts.size < this.maxAccounts) return;
    for (const [accountId, account] of this.accounts) {
      if (account.records.size > 0) continue;
      this.accounts.delete(accountId);
      this.settling.delete(accountId);
      if (this.accounts.size < this.maxAccounts) return;
    }
  }
}

function hold(account: AccountState, { requestId, amount }: ReserveRequest, nowMs: number): ReserveResult {
  const repeated = account.records.get(requestId);
  if (repeated) return { status: 'held', holdNanoUsd: repeated.amountNanoUsd, extendable: repeated.extendable, whole: repeated.whole };
  const spendableNanoUsd = account.limitNanoUsd - account.settledNanoUsd;
  const availableNanoUsd = spendableNanoUsd - account.heldNanoUsd;
  const { holdNanoUsd, extendable, whole } = decideHold(amount, availableNanoUsd);
  // A free request still needs an account in credit or at zero; a request with a price needs its whole hold.
  const refusal = { availableNanoUsd: positive(availableNanoUsd), neededNanoUsd: holdNanoUsd };
  if (holdNanoUsd > spendableNanoUsd) return { status: 'insufficient_balance', ...refusal };
  if (holdNanoUsd > availableNanoUsd) return { status: 'balance_held', ...refusal };
  account.records.set(requestId, { state: 'held', amountNanoUsd: holdNanoUsd, heldAtMs: nowMs, settledAtMs: 0, extendable, whole });
  account.heldNanoUsd += holdNanoUsd;
  return { status: 'held', holdNanoUsd, extendable, whole };
}

function auditOf(accountId: string, { seq, limitNanoUsd, heldNanoUsd, settledNanoUsd, records }: AccountState, nowMs: number): AuditedAccount {
  const audited = Array.from(records, ([requestId, { state, amountNanoUsd, heldAtMs, settledAtMs }]) => ({ requestId, state, amountNanoUsd, ageMs: nowMs - (state === 'held' ? heldAtMs : settledAtMs) }));
  return { accountId, seq, limitNanoUsd, heldNanoUsd, settledNanoUsd, records: audited };
}

function settledBefore({ records }: AccountState, beforeMs: number): string[] {
  const ids: string[] = [];
  for (const [id, record] of records) if (record.state === 'settled' && record.settledAtMs <= beforeMs) ids.push(id);
  return ids;
}

function hasSettled({ records }: AccountState): boolean {
  for (const { state } of records.values()) if (state === 'settled') return true;
  return false;
}

function apply(account: AccountState, posting: AdmissionPosting): void {
  if (posting.seq > account.seq) {
    account.seq = posting.seq;
    account.limitNanoUsd = posting.balanceNanoUsd;
  }
  for (const id of posting.requestIds) drop(account, id);
}

function drop(account: AccountState, requestId: string): void {
  const record = account.records.get(requestId);
  if (!record) return;
  if (record.state === 'held') account.heldNanoUsd -= record.amountNanoUsd;
  else account.settledNanoUsd -= record.amountNanoUsd;
  account.records.delete(requestId);
}

function available(account: AccountState): bigint {
  return positive(account.limitNanoUsd - account.heldNanoUsd - account.settledNanoUsd);
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function positive(value: bigint): bigint {
  return value > 0n ? value : 0n;
}

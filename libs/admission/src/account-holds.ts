import type { AdmissionPosting, ExtendResult, HoldRule, ReserveResult, Settlement } from './admission.js';
import { decideHold } from './decide-hold.js';

export interface HoldRecord {
  state: 'held' | 'settled';
  amountNanoUsd: bigint;
  /** When it came into this state. */
  sinceMs: number;
  /** As first answered, for a repeated reserve. */
  extendable: boolean;
  whole: boolean;
}

/**
 * One account of admission and what may happen to it: limit, sequence and one record per request. The rules of the
 * protocol, without a clock or I/O; the Map keeps these, the scripts of Redis say the same in Lua
 * (`redis/scripts`), and the simulation of the protocol holds both against each other.
 */
export class AccountHolds {
  heldNanoUsd = 0n;
  settledNanoUsd = 0n;
  readonly records = new Map<string, HoldRecord>();

  constructor(
    public seq: bigint,
    public limitNanoUsd: bigint,
  ) {}

  /** Nano-USD that a request may still take, ≥ 0. */
  get availableNanoUsd(): bigint {
    return positive(this.limitNanoUsd - this.heldNanoUsd - this.settledNanoUsd);
  }

  reserve(requestId: string, rule: HoldRule, nowMs: number): ReserveResult {
    const repeated = this.records.get(requestId);
    if (repeated) return { status: 'held', holdNanoUsd: repeated.amountNanoUsd, extendable: repeated.extendable, whole: repeated.whole };
    const spendableNanoUsd = this.limitNanoUsd - this.settledNanoUsd;
    const availableNanoUsd = spendableNanoUsd - this.heldNanoUsd;
    const { holdNanoUsd, extendable, whole } = decideHold(rule, availableNanoUsd);
    // A free request still needs an account in credit or at zero; a request with a price needs its whole hold.
    const refusal = { availableNanoUsd: positive(availableNanoUsd), neededNanoUsd: holdNanoUsd };
    if (holdNanoUsd > spendableNanoUsd) return { status: 'insufficient_balance', ...refusal };
    if (holdNanoUsd > availableNanoUsd) return { status: 'balance_held', ...refusal };
    this.keep(requestId, { state: 'held', amountNanoUsd: holdNanoUsd, sinceMs: nowMs, extendable, whole });
    return { status: 'held', holdNanoUsd, extendable, whole };
  }

  extend(requestId: string, byNanoUsd: bigint): ExtendResult {
    const record = this.records.get(requestId);
    if (record?.state !== 'held') return { addedNanoUsd: 0n, holdNanoUsd: 0n };
    const addedNanoUsd = smaller(byNanoUsd, this.availableNanoUsd);
    record.amountNanoUsd += addedNanoUsd;
    this.heldNanoUsd += addedNanoUsd;
    return { addedNanoUsd, holdNanoUsd: record.amountNanoUsd };
  }

  /**
   * A hold is honoured even when the limit seems to be lower by now: a posting may be in the limit and still have its
   * record, and whoever gets no answer charges up to the hold. A request without a record was posted already, or lost its
   * hold while its gateway was silent. Nobody can tell here, so it is counted; where it was posted, the sweeper removes it.
   */
  settle({ requestId, costNanoUsd, heldNanoUsd, mayBeLess = false }: Settlement, nowMs: number): bigint {
    const record = this.records.get(requestId);
    if (record?.state === 'settled') return record.amountNanoUsd;
    const leftNanoUsd = this.limitNanoUsd - this.heldNanoUsd - this.settledNanoUsd;
    const most = record ? record.amountNanoUsd + (mayBeLess ? leftNanoUsd : positive(leftNanoUsd)) : smaller(heldNanoUsd, leftNanoUsd);
    const grantNanoUsd = positive(smaller(costNanoUsd, most));
    this.drop(requestId);
    // Nothing will be posted for what cost nothing, so nothing would ever remove its record.
    if (costNanoUsd > 0n) this.keep(requestId, { state: 'settled', amountNanoUsd: grantNanoUsd, sinceMs: nowMs, extendable: false, whole: false });
    return grantNanoUsd;
  }

  release(requestId: string): void {
    if (this.records.get(requestId)?.state === 'held') this.drop(requestId);
  }

  post({ seq, balanceNanoUsd, requestIds }: Omit<AdmissionPosting, 'accountId'>): void {
    if (seq > this.seq) {
      this.seq = seq;
      this.limitNanoUsd = balanceNanoUsd;
    }
    for (const id of requestIds) this.drop(id);
  }

  keep(requestId: string, record: HoldRecord): void {
    if (record.state === 'held') this.heldNanoUsd += record.amountNanoUsd;
    else this.settledNanoUsd += record.amountNanoUsd;
    this.records.set(requestId, record);
  }

  private drop(requestId: string): void {
    const record = this.records.get(requestId);
    if (!record) return;
    if (record.state === 'held') this.heldNanoUsd -= record.amountNanoUsd;
    else this.settledNanoUsd -= record.amountNanoUsd;
    this.records.delete(requestId);
  }
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function positive(value: bigint): bigint {
  return value > 0n ? value : 0n;
}

import { AccountHolds } from '../account-holds.js';
import type { AdmissionPosting, HoldRule, ReserveResult, Settlement } from '../admission.js';

/** One account of a server: what the hash of the scripts is. */
export interface ModelAccount {
  phase: 'opening' | 'ready';
  token: string;
  holds: AccountHolds;
  tombstones: Set<string>;
}

export interface ModelHold {
  id: string;
  amountNanoUsd: bigint;
  extendable: boolean;
}

/** One action, the number of the server that ran it, its answer and what it left: what the real scripts must answer and store too. */
export interface Witnessed {
  server: number;
  action: readonly [name: string, accountId: string, ...args: unknown[]];
  answer: unknown;
  /** Goes on to change: as it is when this is told. */
  account: ModelAccount | undefined;
}

export type Witness = (witnessed: Witnessed) => void;

/**
 * One run of a Redis server, from its start to its loss: the scripts of admission, over the rules of `AccountHolds`.
 * An action on what is not open in this run is `cold`.
 */
export class ModelServer {
  readonly accounts = new Map<string, ModelAccount>();
  lost = false;

  constructor(
    readonly number: number,
    private readonly observe: Witness,
  ) {}

  reserve(accountId: string, id: string, rule: HoldRule): ReserveResult | 'cold' | 'void' {
    const account = this.ready(accountId);
    const answer = account === undefined ? 'cold' : account.tombstones.has(id) ? 'void' : account.holds.reserve(id, rule, 0);
    this.witness(['reserve', accountId, id, rule], answer);
    return answer;
  }

  extend(accountId: string, id: string, byNanoUsd: bigint): { addedNanoUsd: bigint; holdNanoUsd: bigint } | 'cold' {
    const answer = this.ready(accountId)?.holds.extend(id, byNanoUsd) ?? 'cold';
    this.witness(['extend', accountId, id, byNanoUsd], answer);
    return answer;
  }

  settle(accountId: string, settlement: Settlement): bigint | 'cold' {
    const account = this.ready(accountId);
    const answer = account?.holds.settle(settlement, 0) ?? 'cold';
    if (settlement.costNanoUsd > 0n) account?.tombstones.delete(settlement.requestId);
    this.witness(['settle', accountId, settlement], answer);
    return answer;
  }

  void(accountId: string, id: string): 'void' | 'cold' {
    const account = this.accounts.get(accountId);
    const answer = account === undefined ? 'cold' : 'void';
    if (account && account.holds.records.get(id)?.state !== 'settled') {
      account.holds.release(id);
      account.tombstones.add(id);
    }
    this.witness(['void', accountId, id], answer);
    return answer;
  }

  post({ accountId, ...posting }: AdmissionPosting): 'posted' | 'cold' {
    const account = this.accounts.get(accountId);
    account?.holds.post(posting);
    const answer = account === undefined ? 'cold' : 'posted';
    this.witness(['post', accountId, posting], answer);
    return answer;
  }

  /** One opener at a time here, so nobody is `busy`. */
  begin(accountId: string, token: string): 'begun' | { ready: string } {
    const account = this.accounts.get(accountId);
    if (account?.phase === 'ready') {
      this.witness(['begin', accountId, token], { ready: account.token });
      return { ready: account.token };
    }
    this.accounts.set(accountId, { phase: 'opening', token, holds: new AccountHolds(-1n, 0n), tombstones: account?.tombstones ?? new Set() });
    this.witness(['begin', accountId, token], 'begun');
    return 'begun';
  }

  sees(accountId: string, token: string): boolean {
    const answer = this.accounts.get(accountId)?.token === token;
    this.witness(['sees', accountId, token], answer);
    return answer;
  }

  announce(accountId: string, token: string, holds: readonly ModelHold[]): boolean {
    const account = this.opening(accountId, token);
    for (const { id, amountNanoUsd, extendable } of holds) {
      if (account === undefined || account.tombstones.has(id) || account.holds.records.has(id)) continue;
      account.holds.keep(id, { state: 'held', amountNanoUsd, sinceMs: 0, extendable, whole: false });
    }
    this.witness(['announce', accountId, token, holds], account !== undefined);
    return account !== undefined;
  }

  open(accountId: string, token: string, balance: { seq: bigint; balanceNanoUsd: bigint }): boolean {
    const account = this.opening(accountId, token);
    account?.holds.post({ ...balance, requestIds: [] });
    if (account) account.phase = 'ready';
    this.witness(['open', accountId, token, balance], account !== undefined);
    return account !== undefined;
  }

  /** What the sweeper gives up: a hold leaves a tombstone. */
  drop(accountId: string, id: string): void {
    const account = this.accounts.get(accountId);
    if (account?.holds.records.get(id)?.state === 'held') {
      account.holds.release(id);
      account.tombstones.add(id);
    } else account?.tombstones.delete(id);
    this.witness(['drop', accountId, id], undefined);
  }

  /** The key of one account is gone. */
  forget(accountId: string): void {
    this.accounts.delete(accountId);
    this.witness(['forget', accountId], undefined);
  }

  private witness(action: Witnessed['action'], answer: unknown): void {
    this.observe({ server: this.number, action, answer, account: this.accounts.get(action[1]) });
  }

  private ready(accountId: string): ModelAccount | undefined {
    const account = this.accounts.get(accountId);
    return account?.phase === 'ready' ? account : undefined;
  }

  private opening(accountId: string, token: string): ModelAccount | undefined {
    const account = this.accounts.get(accountId);
    return account?.phase === 'opening' && account.token === token ? account : undefined;
  }
}

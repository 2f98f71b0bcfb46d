import type { ScopedLimits } from '@tokone/account-client';
import type { AnnouncedHold } from './redis-accounts.js';

export interface TrackedHold {
  holdNanoUsd: bigint;
  extendable: boolean;
  whole: boolean;
  /** What it counts in. */
  limits?: readonly ScopedLimits[] | undefined;
}

/** What this gateway holds, by its own knowledge: one entry from the answer to a reserve until the answer to its end. */
export class TrackedHolds {
  private readonly accounts = new Map<string, Map<string, TrackedHold>>();
  private count = 0;
  private totalNanoUsd = 0n;

  add(accountId: string, requestId: string, { holdNanoUsd, extendable, whole, limits }: TrackedHold): void {
    this.delete(accountId, requestId);
    let account = this.accounts.get(accountId);
    if (account === undefined) this.accounts.set(accountId, (account = new Map()));
    account.set(requestId, { holdNanoUsd, extendable, whole, limits });
    this.count++;
    this.totalNanoUsd += holdNanoUsd;
  }

  raise(accountId: string, requestId: string, byNanoUsd: bigint): void {
    const hold = this.accounts.get(accountId)?.get(requestId);
    if (!hold) return;
    hold.holdNanoUsd += byNanoUsd;
    this.totalNanoUsd += byNanoUsd;
  }

  delete(accountId: string, requestId: string): void {
    const account = this.accounts.get(accountId);
    const hold = account?.get(requestId);
    if (!account || !hold) return;
    account.delete(requestId);
    if (account.size === 0) this.accounts.delete(accountId);
    this.count--;
    this.totalNanoUsd -= hold.holdNanoUsd;
  }

  has(accountId: string, requestId: string): boolean {
    return this.accounts.get(accountId)?.has(requestId) ?? false;
  }

  limitsOf(accountId: string, requestId: string): readonly ScopedLimits[] | undefined {
    return this.accounts.get(accountId)?.get(requestId)?.limits;
  }

  /** Request ids of an account by the scope in which each has a slot. */
  slotsOf(accountId: string): { scope: ScopedLimits; requestIds: string[] }[] {
    const slots = new Map<string, { scope: ScopedLimits; requestIds: string[] }>();
    for (const [requestId, { limits }] of this.accounts.get(accountId) ?? []) {
      for (const scope of limits ?? []) {
        if (scope.concurrentRequests === undefined) continue;
        const name = `${scope.scope}:${scope.id}`;
        const found = slots.get(name);
        if (found) found.requestIds.push(requestId);
        else slots.set(name, { scope, requestIds: [requestId] });
      }
    }
    return [...slots.values()];
  }

  /** Request ids by account. May be read on while requests come and go. */
  *all(): Generator<[accountId: string, requestIds: string[]]> {
    for (const [accountId, account] of this.accounts) yield [accountId, [...account.keys()]];
  }

  of(accountIds: readonly string[], owner: string): Map<string, AnnouncedHold[]> {
    const found = new Map<string, AnnouncedHold[]>();
    for (const accountId of accountIds) {
      const account = this.accounts.get(accountId);
      if (!account) continue;
      found.set(
        accountId,
        Array.from(account, ([requestId, { holdNanoUsd, extendable, whole }]) => ({ requestId, amountNanoUsd: holdNanoUsd, extendable, whole, owner })),
      );
    }
    return found;
  }

  /** For health and tests. */
  outstanding(): { held: number; heldNanoUsd: bigint } {
    return { held: this.count, heldNanoUsd: this.totalNanoUsd };
  }
}

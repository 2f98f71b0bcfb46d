import { MOST_LIMIT_NANO_USD } from '@tokone/admission';

const MOST_NOTED = 10_000;

/** Tells once of each account whose balance is larger than what Redis offers to requests. */
export class CappedBalances {
  private readonly noted = new Set<string>();

  constructor(private readonly onCapped: (accountId: string) => void) {}

  note(accountId: string, balanceNanoUsd: bigint): void {
    if (balanceNanoUsd <= MOST_LIMIT_NANO_USD || this.noted.size >= MOST_NOTED || this.noted.has(accountId)) return;
    this.noted.add(accountId);
    this.onCapped(accountId);
  }
}

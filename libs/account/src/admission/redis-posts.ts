import { MOST_LIMIT_NANO_USD } from '@tokone/admission';
import type { Admission, AdmissionPosting, RedisAccounts } from '@tokone/admission';

export interface RedisPostsParts {
  accounts: Pick<RedisAccounts, 'post'>;
  /** Told once for each account whose balance is larger than what is offered to requests. */
  onCapped: (accountId: string) => void;
}

const MOST_NOTED = 10_000;

/** Tells Redis what the ledger posted. An account that Redis does not have open is told its balance when it is opened. */
export class RedisPosts implements Pick<Admission, 'post'> {
  private readonly capped = new Set<string>();

  constructor(private readonly parts: RedisPostsParts) {}

  async post(posting: AdmissionPosting): Promise<void> {
    const { accountId, balanceNanoUsd } = posting;
    if (balanceNanoUsd > MOST_LIMIT_NANO_USD && this.capped.size < MOST_NOTED && !this.capped.has(accountId)) {
      this.capped.add(accountId);
      this.parts.onCapped(accountId);
    }
    await this.parts.accounts.post(posting);
  }
}

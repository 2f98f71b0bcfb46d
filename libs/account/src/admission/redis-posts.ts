import type { Admission, AdmissionPosting, RedisAccounts } from '@tokone/admission';
import type { CappedBalances } from './capped-balances.js';

export interface RedisPostsParts {
  accounts: Pick<RedisAccounts, 'post'>;
  capped: Pick<CappedBalances, 'note'>;
}

/** Tells Redis what the ledger posted. An account that Redis does not have open is told its balance when it is opened. */
export class RedisPosts implements Pick<Admission, 'post'> {
  constructor(private readonly parts: RedisPostsParts) {}

  async post(posting: AdmissionPosting): Promise<void> {
    this.parts.capped.note(posting.accountId, posting.balanceNanoUsd);
    await this.parts.accounts.post(posting);
  }
}

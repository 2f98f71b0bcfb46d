import type { InternalClient } from '@tokone/http';
import { readBalanceAnswer } from './directory-wire.js';
import type { WalletBalance, Balances } from './balances.js';

const DEADLINE_MS = 2_000;

/** Balances from the account service. Throws `InternalCallError` when it cannot be asked within 2 s. */
export class HttpBalances implements Balances {
  constructor(private readonly client: InternalClient) {}

  read(accountId: string): Promise<WalletBalance | undefined> {
    const path = `/internal/account/balances/${encodeURIComponent(accountId)}`;
    return this.client.call({ method: 'GET', path, deadlineMs: DEADLINE_MS, read: readBalanceAnswer });
  }

  async balanceOf(accountId: string): Promise<bigint> {
    return (await this.read(accountId))?.balanceNanoUsd ?? 0n;
  }
}

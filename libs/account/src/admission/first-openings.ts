import type { Pool } from '@tokone/persistence';

/**
 * Accounts that were never open before, in account's own table. Nobody can have admitted a request of theirs, so there
 * is nothing to wait for: the first request of a new account does not pass the fence.
 */
export class FirstOpenings {
  constructor(private readonly pool: Pool) {}

  /** Notes them all, and returns those that were not noted yet: of two who ask, one gets an account. */
  async take(accountIds: readonly string[]): Promise<Set<string>> {
    const { rows } = await this.pool.query<{ account_id: string }>({
      name: 'first-openings',
      text: 'INSERT INTO account.first_openings (account_id) SELECT unnest($1::uuid[]) ON CONFLICT DO NOTHING RETURNING account_id',
      values: [accountIds],
    });
    return new Set(rows.map(({ account_id: accountId }) => accountId));
  }
}

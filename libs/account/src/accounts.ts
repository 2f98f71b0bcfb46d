import { inTransaction } from '@tokone/persistence';
import type { Pool, PoolClient } from '@tokone/persistence';
import type { DataSource } from 'typeorm';
import { notFound } from './account-error.js';
import { writeAudit } from './audit.js';
import { AccountEntity } from './entities/account.entity.js';
import { LedgerAccountEntity } from './entities/ledger.entity.js';

export interface AccountSummary {
  id: string;
  name: string;
  status: 'active' | 'suspended';
  balanceNanoUsd: bigint;
  createdAt: Date;
}

export interface NewAccount {
  id: string;
  /** 1 to 100 characters. */
  name: string;
  actor: string;
}

/** Tenants and what is in their wallets. */
export class Accounts {
  constructor(
    private readonly database: DataSource,
    private readonly pool: Pool,
    private readonly ids: { next(): string },
  ) {}

  /** An account with an empty wallet. */
  async create(name: string, actor: string): Promise<AccountSummary> {
    const id = this.ids.next();
    await inTransaction(this.pool, (client) => insertAccount(client, { id, name, actor }));
    return this.find(id);
  }

  /** @throws AccountError `not_found` */
  async find(id: string): Promise<AccountSummary> {
    const [account] = await this.select({ after: undefined, limit: 1, id });
    if (account === undefined) throw notFound('account', id);
    return account;
  }

  /** In order of creation, beginning behind the account `after`. */
  async list(page: { after: string | undefined; limit: number }): Promise<AccountSummary[]> {
    return this.select(page);
  }

  private async select(page: { after: string | undefined; limit: number; id?: string }): Promise<AccountSummary[]> {
    const query = this.database
      .createQueryBuilder(AccountEntity, 'account')
      .innerJoin(LedgerAccountEntity, 'wallet', `wallet.account_id = account.id AND wallet.kind = 'wallet'`)
      .select(['account.id AS id', 'account.name AS name', 'account.status AS status', 'account.created_at AS "createdAt"'])
      .addSelect('wallet.balance', 'balanceNanoUsd')
      .orderBy('account.id')
      .limit(page.limit);
    if (page.id !== undefined) query.andWhere('account.id = :id', { id: page.id });
    if (page.after !== undefined) query.andWhere('account.id > :after', { after: page.after });
    return query.getRawMany<AccountSummary>();
  }
}

/** The account and its wallet, for a transaction that may hold more. */
export async function insertAccount(client: PoolClient, { id, name, actor }: NewAccount): Promise<void> {
  await client.query('INSERT INTO account.accounts (id, name) VALUES ($1, $2)', [id, name]);
  await client.query(`INSERT INTO account.ledger_accounts (kind, account_id) VALUES ('wallet', $1)`, [id]);
  await writeAudit(client, { actor, action: 'account.created', subject: id, after: { name } });
}

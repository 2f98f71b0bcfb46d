import { inTransaction } from '@tokone/persistence';
import type { Pool } from '@tokone/persistence';
import type { DataSource } from 'typeorm';
import { AccountError, notFound } from './account-error.js';
import { writeAudit } from './audit.js';
import { UserEntity } from './entities/user.entity.js';

export interface UserSummary {
  id: string;
  accountId: string;
  name: string;
  createdAt: Date;
}

/** To whom keys of an account may belong, so that what they may ask for is counted together. */
export class Users {
  constructor(
    private readonly database: DataSource,
    private readonly pool: Pool,
    private readonly ids: { next(): string },
  ) {}

  /** @throws AccountError `not_found` for an unknown account, `conflict` for a name that it has already. */
  async create({ accountId, name, actor }: { accountId: string; name: string; actor: string }): Promise<UserSummary> {
    const id = this.ids.next();
    await inTransaction(this.pool, async (client) => {
      const accounts = await client.query('SELECT 1 FROM account.accounts WHERE id = $1', [accountId]);
      if (accounts.rowCount === 0) throw notFound('account', accountId);
      const { rowCount } = await client.query('INSERT INTO account.users (id, account_id, name) VALUES ($1, $2, $3) ON CONFLICT (account_id, name) DO NOTHING', [id, accountId, name]);
      if (rowCount === 0) throw new AccountError('conflict', `This account has a user "${name}" already.`);
      await writeAudit(client, { actor, action: 'user.created', subject: id, after: { accountId, name } });
    });
    return this.database.getRepository(UserEntity).findOneByOrFail({ id });
  }

  /** In order of creation, beginning behind the user `after`. */
  async list({ accountId, after, limit }: { accountId: string; after: string | undefined; limit: number }): Promise<UserSummary[]> {
    const query = this.database.createQueryBuilder(UserEntity, 'person').where('person.account_id = :accountId', { accountId }).orderBy('person.id').limit(limit);
    if (after !== undefined) query.andWhere('person.id > :after', { after });
    return query.getMany();
  }
}

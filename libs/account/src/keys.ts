import { inTransaction } from '@tokone/persistence';
import type { Pool, PoolClient } from '@tokone/persistence';
import type { DataSource } from 'typeorm';
import { notFound } from './account-error.js';
import { writeAudit } from './audit.js';
import { KeyEntity } from './entities/account.entity.js';
import { GroupEntity } from './entities/group.entity.js';
import { keyDigest } from './key-digest.js';
import { checkKeyPrefix, lastFour, newKeySecret } from './key-secret.js';

export interface KeySummary {
  id: string;
  accountId: string;
  groupId: string;
  groupName: string;
  /** Null: of no user. */
  userId: string | null;
  name: string;
  lastFour: string;
  status: 'active' | 'disabled';
  createdAt: Date;
  disabledAt: Date | null;
}

export interface NewKey {
  accountId: string;
  /** Name or id of the group. */
  group: string;
  /** Of that account. */
  userId?: string | undefined;
  name: string;
  actor: string;
}

/** `key` is shown now and never again. */
export interface IssuedKey {
  id: string;
  accountId: string;
  groupId: string;
  userId: string | null;
  key: string;
}

export interface KeyIssuerParts {
  /** Outside the database; the same for every process of the deployment. */
  pepper: Buffer;
  prefix: string;
  ids: { next(): string };
}

/** Makes keys. What the database gets is the digest and the last four characters. */
export class KeyIssuer {
  constructor(private readonly parts: KeyIssuerParts) {
    checkKeyPrefix(parts.prefix);
    if (parts.pepper.length < 32) throw new RangeError('the pepper of the keys has less than 32 bytes');
  }

  digest(key: string): Buffer {
    return keyDigest(this.parts.pepper, key);
  }

  /** @throws AccountError `not_found` for an unknown account or group, or a user of another account. */
  async issue(client: PoolClient, request: NewKey): Promise<IssuedKey> {
    const id = this.parts.ids.next();
    const key = newKeySecret(this.parts.prefix);
    const accounts = await client.query('SELECT 1 FROM account.accounts WHERE id = $1', [request.accountId]);
    if (accounts.rowCount === 0) throw notFound('account', request.accountId);
    const { rows } = await client.query<{ id: string }>('SELECT id FROM account.groups WHERE name = $1 OR id::text = $1', [request.group]);
    const [group] = rows;
    if (group === undefined) throw notFound('group', request.group);
    const { accountId, userId = null, name, actor } = request;
    if (userId !== null) await requireUser(client, accountId, userId);
    await client.query(
      'INSERT INTO account.keys (id, account_id, group_id, user_id, name, digest, last_four) VALUES ($1, $2, $3, $4, $5, $6, $7)',
      [id, accountId, group.id, userId, name, this.digest(key), lastFour(key)],
    );
    const after = { accountId, groupId: group.id, ...(userId !== null && { userId }), name, lastFour: lastFour(key) };
    await writeAudit(client, { actor, action: 'key.created', subject: id, after });
    return { id, accountId, groupId: group.id, userId, key };
  }
}

/** The keys of tenants. */
export class Keys {
  constructor(
    private readonly database: DataSource,
    private readonly pool: Pool,
    private readonly issuer: KeyIssuer,
  ) {}

  async issue(request: NewKey): Promise<IssuedKey> {
    return inTransaction(this.pool, (client) => this.issuer.issue(client, request));
  }

  /** In order of creation, beginning behind the key `after`. */
  async list(page: { accountId: string | undefined; after: string | undefined; limit: number }): Promise<KeySummary[]> {
    return this.select(page);
  }

  /** For ever, and harmless when repeated. Gateways stop serving the key within 5 s. @throws AccountError `not_found` */
  async disable(id: string, actor: string): Promise<KeySummary> {
    await inTransaction(this.pool, async (client) => {
      const { rowCount } = await client.query(
        `UPDATE account.keys SET status = 'disabled', disabled_at = now() WHERE id = $1 AND status = 'active'`,
        [id],
      );
      if (rowCount === 0) return;
      const change = { before: { status: 'active' }, after: { status: 'disabled' } };
      await writeAudit(client, { actor, action: 'key.disabled', subject: id, ...change });
    });
    const [key] = await this.select({ accountId: undefined, after: undefined, limit: 1, id });
    if (key === undefined) throw notFound('key', id);
    return key;
  }

  private async select(page: { accountId: string | undefined; after: string | undefined; limit: number; id?: string }): Promise<KeySummary[]> {
    const query = this.database
      .createQueryBuilder(KeyEntity, 'key')
      .innerJoin(GroupEntity, 'owner', 'owner.id = key.group_id')
      .select(['key.id AS id', 'key.account_id AS "accountId"', 'key.group_id AS "groupId"', 'owner.name AS "groupName"', 'key.user_id AS "userId"'])
      .addSelect(['key.name AS name', 'key.last_four AS "lastFour"', 'key.status AS status'])
      .addSelect(['key.created_at AS "createdAt"', 'key.disabled_at AS "disabledAt"'])
      .orderBy('key.id')
      .limit(page.limit);
    if (page.id !== undefined) query.andWhere('key.id = :id', { id: page.id });
    if (page.accountId !== undefined) query.andWhere('key.account_id = :accountId', { accountId: page.accountId });
    if (page.after !== undefined) query.andWhere('key.id > :after', { after: page.after });
    return query.getRawMany<KeySummary>();
  }
}

async function requireUser(client: PoolClient, accountId: string, userId: string): Promise<void> {
  const { rowCount } = await client.query('SELECT 1 FROM account.users WHERE id = $1 AND account_id = $2', [userId, accountId]);
  if (rowCount === 0) throw notFound('user of this account', userId);
}

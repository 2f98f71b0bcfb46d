import { isUnlimited } from '@tokone/account-client';
import type { RequestLimits, ScopedLimits } from '@tokone/account-client';
import { inTransaction } from '@tokone/persistence';
import type { Pool, PoolClient } from '@tokone/persistence';
import { notFound } from './account-error.js';
import { writeAudit } from './audit.js';

/** Whose limits: an account's, a user's, a key's, a group's for every account that has none of its own there, or an account's in a group. */
export interface LimitSubject {
  accountId?: string | undefined;
  userId?: string | undefined;
  keyId?: string | undefined;
  /** Name or id. */
  group?: string | undefined;
}

/** A row of `account.limits`. */
export interface LimitRow {
  account_id: string | null;
  group_id: string | null;
  user_id: string | null;
  key_id: string | null;
  requests_per_minute: number | null;
  tokens_per_minute: number | null;
  concurrent_requests: number | null;
}

interface SubjectIds {
  account_id: string | null;
  group_id: string | null;
  user_id: string | null;
  key_id: string | null;
}

/** How much may be asked for, and by whom. Gateways know a change within 5 s. */
export class Limits {
  constructor(private readonly pool: Pool) {}

  /** Undefined: there is no row, so that nothing is limited here. @throws AccountError `not_found` */
  async find(subject: LimitSubject): Promise<RequestLimits | undefined> {
    return inTransaction(this.pool, async (client) => readLimits(client, await idsOf(client, subject)));
  }

  /**
   * The whole of them: what is absent is not limited. Without any the row goes, but for an account in a group, where
   * it stays and lifts what the group has. @throws as above
   */
  async set(subject: LimitSubject, limits: RequestLimits, actor: string): Promise<void> {
    await inTransaction(this.pool, async (client) => {
      const ids = await idsOf(client, subject);
      const before = await readLimits(client, ids);
      await client.query(DELETE, valuesOf(ids));
      const lifts = ids.account_id !== null && ids.group_id !== null;
      if (lifts || !isUnlimited(limits)) await client.query(INSERT, [...valuesOf(ids), limits.requestsPerMinute, limits.tokensPerMinute, limits.concurrentRequests]);
      await writeAudit(client, { actor, action: 'limits.set', subject: subjectOf(ids), before: { ...before }, after: { ...namesOf(ids), ...limits } });
    });
  }

  /** Nothing is limited here any more; an account in a group has the limits of the group again. @throws as above */
  async clear(subject: LimitSubject, actor: string): Promise<void> {
    await inTransaction(this.pool, async (client) => {
      const ids = await idsOf(client, subject);
      const before = await readLimits(client, ids);
      const { rowCount } = await client.query(DELETE, valuesOf(ids));
      if (rowCount !== 0) await writeAudit(client, { actor, action: 'limits.cleared', subject: subjectOf(ids), before: { ...namesOf(ids), ...before } });
    });
  }
}

/** What a key counts in: of its account and of its group, the row of both together decides for the group. */
export function scopedLimits(rows: readonly LimitRow[]): ScopedLimits[] {
  const ownInGroup = rows.some(({ account_id, group_id }) => account_id !== null && group_id !== null);
  const scoped = rows.filter(({ account_id, group_id }) => !(ownInGroup && account_id === null && group_id !== null)).map(scopeOf);
  return scoped.filter((limits) => !isUnlimited(limits));
}

function scopeOf(row: LimitRow): ScopedLimits {
  const limits = limitsOf(row);
  if (row.key_id !== null) return { scope: 'key', id: row.key_id, ...limits };
  if (row.user_id !== null) return { scope: 'user', id: row.user_id, ...limits };
  return row.group_id === null ? { scope: 'account', id: row.account_id ?? '', ...limits } : { scope: 'group', id: row.group_id, ...limits };
}

function limitsOf({ requests_per_minute: requests, tokens_per_minute: tokens, concurrent_requests: concurrent }: LimitRow): RequestLimits {
  return {
    ...(requests !== null && { requestsPerMinute: requests }),
    ...(tokens !== null && { tokensPerMinute: tokens }),
    ...(concurrent !== null && { concurrentRequests: concurrent }),
  };
}

async function readLimits(client: PoolClient, ids: SubjectIds): Promise<RequestLimits | undefined> {
  const { rows } = await client.query<LimitRow>(`SELECT * FROM account.limits WHERE ${SUBJECT}`, valuesOf(ids));
  return rows[0] && limitsOf(rows[0]);
}

/** The subject itself is locked, so that two who set its limits come one after the other. */
async function idsOf(client: PoolClient, { accountId, userId, keyId, group }: LimitSubject): Promise<SubjectIds> {
  const found = async (what: 'account' | 'user' | 'key' | 'group', id: string | undefined): Promise<string | null> => {
    if (id === undefined) return null;
    const where = what === 'group' ? 'name = $1 OR id::text = $1' : 'id = $1';
    const { rows } = await client.query<{ id: string }>(`SELECT id FROM account.${what}s WHERE ${where} FOR NO KEY UPDATE`, [id]);
    if (rows[0] === undefined) throw notFound(what, id);
    return rows[0].id;
  };
  return {
    account_id: await found('account', accountId),
    user_id: await found('user', userId),
    key_id: await found('key', keyId),
    group_id: await found('group', group),
  };
}

function valuesOf({ account_id, group_id, user_id, key_id }: SubjectIds): (string | null)[] {
  return [account_id, group_id, user_id, key_id];
}

/** Of several ids the first that is there. */
function subjectOf(ids: SubjectIds): string {
  return valuesOf(ids).find((id) => id !== null) ?? '';
}

function namesOf({ account_id, group_id }: SubjectIds): Record<string, string> {
  return account_id !== null && group_id !== null ? { groupId: group_id } : {};
}

const SUBJECT = 'account_id IS NOT DISTINCT FROM $1 AND group_id IS NOT DISTINCT FROM $2 AND user_id IS NOT DISTINCT FROM $3 AND key_id IS NOT DISTINCT FROM $4';
const DELETE = `DELETE FROM account.limits WHERE ${SUBJECT}`;
const INSERT = `
INSERT INTO account.limits (account_id, group_id, user_id, key_id, requests_per_minute, tokens_per_minute, concurrent_requests)
VALUES ($1, $2, $3, $4, $5, $6, $7)`;

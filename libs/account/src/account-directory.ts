import { timingSafeEqual } from 'node:crypto';
import type { AccountDirectory, GroupRecord, KeyRecord } from '@tokone/account-client';
import type { Pool } from '@tokone/persistence';
import type { Platform } from '@tokone/protocol';
import { noAccountMetrics } from '@tokone/telemetry';
import type { AccountMetrics } from '@tokone/telemetry';
import { scopedLimits } from './limits.js';
import type { LimitRow } from './limits.js';

interface KeyRow {
  key_id: string;
  account_id: string;
  group_id: string;
  group_name: string;
  platform: Platform;
  models: string[] | null;
  multiplier_ppm: number;
  status: KeyRecord['status'];
  account_status: KeyRecord['accountStatus'];
  digest: Buffer;
  /** Null where there are none. */
  limits: LimitRow[] | null;
}

/** Keys and groups from account's own tables. Every answer is one fresh read; the pool's deadline bounds it. */
export class LocalAccountDirectory implements AccountDirectory {
  constructor(
    private readonly pool: Pool,
    private readonly metrics: Pick<AccountMetrics, 'keyLookup'> = noAccountMetrics,
  ) {}

  async findKey(digest: Buffer): Promise<KeyRecord | undefined> {
    try {
      const found = await this.readKey(digest);
      this.metrics.keyLookup(found ? 'found' : 'unknown');
      return found;
    } catch (error) {
      this.metrics.keyLookup('failed');
      throw error;
    }
  }

  async groups(): Promise<readonly GroupRecord[]> {
    const { rows } = await this.pool.query<{ id: string; name: string; platform: Platform; models: string[] | null }>({
      name: 'account-groups',
      text: 'SELECT id, name, platform, models FROM account.groups ORDER BY name',
    });
    return rows.map(({ id, name, platform, models }) => ({ groupId: id, name, platform, models: modelSet(models) }));
  }

  private async readKey(digest: Buffer): Promise<KeyRecord | undefined> {
    const { rows } = await this.pool.query<KeyRow>({ name: 'account-find-key', text: FIND_KEY, values: [digest] });
    const [row] = rows;
    if (row === undefined || digest.length !== row.digest.length || !timingSafeEqual(row.digest, digest)) return undefined;
    return {
      keyId: row.key_id,
      accountId: row.account_id,
      groupId: row.group_id,
      groupName: row.group_name,
      platform: row.platform,
      models: modelSet(row.models),
      multiplierPpm: row.multiplier_ppm,
      status: row.status,
      accountStatus: row.account_status,
      limits: scopedLimits(row.limits ?? []),
    };
  }
}

function modelSet(models: string[] | null): ReadonlySet<string> | undefined {
  return models === null ? undefined : new Set(models);
}

const FIND_KEY = `
SELECT k.id AS key_id, k.account_id, k.group_id, g.name AS group_name, g.platform, g.models,
  coalesce(m.multiplier_ppm, g.multiplier_ppm) AS multiplier_ppm, k.status, a.status AS account_status, k.digest,
  (SELECT json_agg(l) FROM account.limits l
   WHERE l.key_id = k.id OR l.user_id = k.user_id OR (l.account_id = k.account_id AND (l.group_id IS NULL OR l.group_id = k.group_id))
     OR (l.account_id IS NULL AND l.group_id = k.group_id)) AS limits
FROM account.keys k
JOIN account.accounts a ON a.id = k.account_id
JOIN account.groups g ON g.id = k.group_id
LEFT JOIN account.account_multipliers m ON m.account_id = k.account_id AND m.group_id = k.group_id
WHERE k.digest = $1`;

import { inTransaction } from '@tokone/persistence';
import type { Pool, PoolClient } from '@tokone/persistence';
import type { Platform } from '@tokone/protocol';
import { notFound } from './account-error.js';
import { insertAccount } from './accounts.js';
import { writeAudit } from './audit.js';
import type { CredentialSeal } from './credential-seal.js';
import type { KeyIssuer } from './keys.js';
import { postTopUp } from './top-ups.js';
import { insertUpstream, retargetUpstream } from './upstreams.js';
import type { UpstreamTarget } from './upstreams.js';

/** Idempotency id of the demo account's first credit. That this transfer exists is what says that the quick start ran. */
export const QUICK_START_TOP_UP_ID = '01940000-0000-7000-8000-746f6b6f6e65';
export const QUICK_START_CREDIT_NANO_USD = 10_000_000_000n;

const ACTOR = 'quick start';
const DEMO_ACCOUNT_NAME = 'demo';
const QUICK_START_LOCK = 'tokone.account.quick-start';

export interface QuickStartGroup extends UpstreamTarget {
  /** Name of the group, and of its upstream. */
  name: string;
  platform: Platform;
  /** The demo key of the group that the caller has kept; one that is unknown here is replaced by a new key. */
  knownKey?: string | undefined;
}

export interface QuickStartResult {
  accountId: string;
  /** True on the one start that created it. */
  created: boolean;
  /** Group name → key in the clear, only of keys that were issued by this call. */
  newKeys: ReadonlyMap<string, string>;
}

export interface DeploymentParts {
  pool: Pool;
  seal: CredentialSeal;
  issuer: KeyIssuer;
  ids: { next(): string };
}

/** What a deployment is made of before anyone has used it. */
export class Deployment {
  constructor(private readonly parts: DeploymentParts) {}

  /**
   * Groups with their upstreams, a demo account with $10, and one key per group: all in one transaction, once for ever,
   * however often and from however many processes it is called. Upstreams of groups that were there before are left
   * as they are: `setGroupUpstream` moves them. A caller that lost its keys (killed before it could write them
   * down) passes none and gets new ones; the old ones stay valid.
   */
  async ensureQuickstart(groups: readonly QuickStartGroup[]): Promise<QuickStartResult> {
    return inTransaction(this.parts.pool, async (client) => {
      await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [QUICK_START_LOCK]);
      for (const group of groups) await this.ensureGroup(client, group);
      const { accountId, created } = await this.ensureDemoAccount(client);
      const newKeys = new Map<string, string>();
      for (const { name, knownKey } of groups) {
        if (knownKey !== undefined && (await this.isKeyOf(client, accountId, knownKey))) continue;
        const { key } = await this.parts.issuer.issue(client, { accountId, group: name, name: ACTOR, actor: ACTOR });
        newKeys.set(name, key);
      }
      return { accountId, created, newKeys };
    });
  }

  /** Moves the upstream that the quick start made for a group. @throws AccountError `not_found` when there is none. */
  async setGroupUpstream(groupName: string, target: UpstreamTarget): Promise<void> {
    await inTransaction(this.parts.pool, async (client) => {
      const { rows } = await client.query<{ id: string }>(
        `SELECT u.id FROM account.upstreams u
         JOIN account.group_upstreams gu ON gu.upstream_id = u.id
         JOIN account.groups g ON g.id = gu.group_id
         WHERE g.name = $1 AND u.name = $1`,
        [groupName],
      );
      const [upstream] = rows;
      if (upstream === undefined) throw notFound('upstream of group', groupName);
      await retargetUpstream(client, this.parts.seal, { ...target, upstreamId: upstream.id, actor: ACTOR });
    });
  }

  private async ensureGroup(client: PoolClient, group: QuickStartGroup): Promise<void> {
    const { name, platform, baseUrl, credential } = group;
    const groupId = this.parts.ids.next();
    const { rowCount } = await client.query(
      'INSERT INTO account.groups (id, name, platform) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING',
      [groupId, name, platform],
    );
    if (rowCount === 0) return;
    await writeAudit(client, { actor: ACTOR, action: 'group.created', subject: groupId, after: { name, platform } });
    const id = this.parts.ids.next();
    await insertUpstream(client, this.parts.seal, { id, name, platform, groupId, baseUrl, credential, actor: ACTOR });
  }

  private async ensureDemoAccount(client: PoolClient): Promise<{ accountId: string; created: boolean }> {
    const { rows } = await client.query<{ account_id: string }>('SELECT account_id FROM account.transfers WHERE id = $1', [
      QUICK_START_TOP_UP_ID,
    ]);
    const [credit] = rows;
    if (credit !== undefined) return { accountId: credit.account_id, created: false };
    const accountId = this.parts.ids.next();
    await insertAccount(client, { id: accountId, name: DEMO_ACCOUNT_NAME, actor: ACTOR });
    const amountNanoUsd = QUICK_START_CREDIT_NANO_USD;
    await postTopUp(client, { id: QUICK_START_TOP_UP_ID, accountId, amountNanoUsd, memo: 'quick start credit', actor: ACTOR });
    return { accountId, created: true };
  }

  private async isKeyOf(client: PoolClient, accountId: string, key: string): Promise<boolean> {
    const { rowCount } = await client.query('SELECT 1 FROM account.keys WHERE digest = $1 AND account_id = $2', [
      this.parts.issuer.digest(key),
      accountId,
    ]);
    return rowCount === 1;
  }
}

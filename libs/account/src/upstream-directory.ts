import type { Upstream, UpstreamDirectory } from '@tokone/account-client';
import type { Pool } from '@tokone/persistence';
import type { Platform } from '@tokone/protocol';
import type { CredentialSeal } from './credential-seal.js';

interface UpstreamRow {
  id: string;
  name: string;
  platform: Platform;
  base_url: string;
  credential_sealed: Buffer;
  credential_version: number;
  model_mapping: Record<string, string>;
  priority: number;
}

/** Upstreams from account's own tables, credentials opened. Only adapters may ask. */
export class LocalUpstreamDirectory implements UpstreamDirectory {
  constructor(
    private readonly pool: Pool,
    private readonly seal: CredentialSeal,
  ) {}

  /** Throws when a credential does not open: a wrong sealing key must not look like a group without upstreams. */
  async upstreamsOf(groupId: string): Promise<readonly Upstream[]> {
    const { rows } = await this.pool.query<UpstreamRow>({ name: 'account-upstreams', text: UPSTREAMS_OF_GROUP, values: [groupId] });
    return rows.map((row) => ({
      upstreamId: row.id,
      name: row.name,
      platform: row.platform,
      baseUrl: row.base_url,
      credential: this.seal.open(row.credential_sealed, { upstreamId: row.id, version: row.credential_version }),
      modelMapping: new Map(Object.entries(row.model_mapping)),
      priority: row.priority,
    }));
  }
}

const UPSTREAMS_OF_GROUP = `
SELECT u.id, u.name, u.platform, u.base_url, u.credential_sealed, u.credential_version, u.model_mapping, u.priority
FROM account.group_upstreams gu JOIN account.upstreams u ON u.id = gu.upstream_id
WHERE gu.group_id = $1 AND u.status = 'active'
ORDER BY u.priority, u.id`;

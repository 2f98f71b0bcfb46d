import type { PoolClient } from '@tokone/persistence';
import type { Platform } from '@tokone/protocol';
import { AccountError } from './account-error.js';
import { writeAudit } from './audit.js';
import type { CredentialSeal } from './credential-seal.js';

export interface UpstreamTarget {
  /** Without the version of the API: `https://api.openai.com`. A trailing slash is dropped. */
  baseUrl: string;
  /** Provider credential in the clear; sealed before it is stored. */
  credential: string;
}

export interface NewUpstream extends UpstreamTarget {
  id: string;
  name: string;
  platform: Platform;
  groupId: string;
  actor: string;
}

/** An upstream of one group. */
export async function insertUpstream(client: PoolClient, seal: CredentialSeal, upstream: NewUpstream): Promise<void> {
  const { id, name, platform, groupId, actor } = upstream;
  const baseUrl = readBaseUrl(upstream.baseUrl);
  await client.query(
    `INSERT INTO account.upstreams (id, name, platform, base_url, credential_sealed, credential_version)
     VALUES ($1, $2, $3, $4, $5, 1)`,
    [id, name, platform, baseUrl, seal.seal(upstream.credential, { upstreamId: id, version: 1 })],
  );
  await client.query('INSERT INTO account.group_upstreams (group_id, upstream_id) VALUES ($1, $2)', [groupId, id]);
  await writeAudit(client, { actor, action: 'upstream.created', subject: id, after: { name, platform, baseUrl, groupId } });
}

/** Where an upstream is and with what it is paid. Nothing is written when nothing changed. */
export async function retargetUpstream(
  client: PoolClient,
  seal: CredentialSeal,
  change: UpstreamTarget & { upstreamId: string; actor: string },
): Promise<void> {
  const { upstreamId, credential, actor } = change;
  const baseUrl = readBaseUrl(change.baseUrl);
  const { rows } = await client.query<{ base_url: string; credential_sealed: Buffer; credential_version: number }>(
    'SELECT base_url, credential_sealed, credential_version FROM account.upstreams WHERE id = $1 FOR UPDATE',
    [upstreamId],
  );
  const [stored] = rows;
  if (stored === undefined) throw new AccountError('not_found', `There is no upstream "${upstreamId}".`);
  const sameCredential = seal.open(stored.credential_sealed, { upstreamId, version: stored.credential_version }) === credential;
  if (sameCredential && stored.base_url === baseUrl) return;
  const version = sameCredential ? stored.credential_version : stored.credential_version + 1;
  const sealed = sameCredential ? stored.credential_sealed : seal.seal(credential, { upstreamId, version });
  await client.query(
    'UPDATE account.upstreams SET base_url = $2, credential_sealed = $3, credential_version = $4 WHERE id = $1',
    [upstreamId, baseUrl, sealed, version],
  );
  await writeAudit(client, {
    actor,
    action: 'upstream.changed',
    subject: upstreamId,
    before: { baseUrl: stored.base_url, credentialVersion: stored.credential_version },
    after: { baseUrl, credentialVersion: version },
  });
}

/** @throws AccountError `invalid_request` for anything but an http(s) address without credentials, query and fragment. */
export function readBaseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const plain = url && /^https?:$/.test(url.protocol) && !url.username && !url.password && !url.search && !url.hash;
  if (!plain) {
    throw new AccountError('invalid_request', 'baseUrl: write an address like https://api.openai.com, without user, query or fragment.');
  }
  return url.origin + url.pathname.replace(/\/+$/, '');
}

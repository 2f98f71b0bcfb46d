import type { InternalClient } from '@tokone/http';
import { readUpstreamsAnswer } from './directory-wire.js';
import type { Upstream, UpstreamDirectory } from './upstream-directory.js';

const DEADLINE_MS = 2_000;

/** Upstreams from the account service, for adapters. Throws `InternalCallError` when it cannot be asked within 2 s. */
export class HttpUpstreamDirectory implements UpstreamDirectory {
  constructor(private readonly client: InternalClient) {}

  upstreamsOf(groupId: string): Promise<readonly Upstream[]> {
    const path = `/internal/account/groups/${encodeURIComponent(groupId)}/upstreams`;
    return this.client.call({ method: 'GET', path, deadlineMs: DEADLINE_MS, read: readUpstreamsAnswer });
  }
}

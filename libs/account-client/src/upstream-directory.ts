import type { Platform } from '@tokone/protocol';

/** An account at a provider, with its credential in the clear: only adapters may hold one. */
export interface Upstream {
  upstreamId: string;
  name: string;
  platform: Platform;
  /** Without a trailing slash and without the version: `https://api.openai.com`. */
  baseUrl: string;
  credential: string;
  /** Tenant's model → provider's model. Models that are not named pass as they are. */
  modelMapping: ReadonlyMap<string, string>;
  /** Lower goes first. */
  priority: number;
}

/** Upstreams of a group in order of preference. Drivers: account's own tables, HTTP to the account service. */
export interface UpstreamDirectory {
  /** Empty when the group has none. Answers are cached at most 5 s. */
  upstreamsOf(groupId: string): Promise<readonly Upstream[]>;
}

export type { AccountDirectory, BalanceQuery, GroupRecord, KeyRecord } from './account-directory.js';
export type { Upstream, UpstreamDirectory } from './upstream-directory.js';

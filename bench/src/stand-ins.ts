import type { AccountDirectory, KeyRecord, UpstreamDirectory } from '@tokone/account-client';
import type { MemoryAdmission } from '@tokone/admission';
import type { PriceBook, UsageQuery } from '@tokone/billing-client';
import type { PriceSnapshot } from '@tokone/pricing';
import type { Spool } from '@tokone/spool';
import { MODEL } from './workload.js';

/** A million USD: no run uses it up. */
export const BALANCE_NANO_USD = 1_000_000_000_000_000n;

const ACCOUNT_ID = '01890000-0000-7000-8000-000000000001';
const GROUP_ID = '01890000-0000-7000-8000-000000000002';
const KEY_ID = '01890000-0000-7000-8000-000000000003';

const key: KeyRecord = {
  keyId: KEY_ID,
  accountId: ACCOUNT_ID,
  groupId: GROUP_ID,
  groupName: 'openai',
  platform: 'openai',
  models: undefined,
  multiplierPpm: 1_000_000,
  status: 'active',
  accountStatus: 'active',
  limits: [],
};

/** Every key is good: looking one up is not on the hot path, hashing and caching it is. */
export const accountDirectory: AccountDirectory = {
  findKey: () => Promise.resolve(key),
  groups: () => Promise.resolve([{ groupId: GROUP_ID, name: 'openai', platform: 'openai', models: undefined }]),
};

const price: PriceSnapshot = {
  id: `${MODEL}@1`,
  model: MODEL,
  platform: 'openai',
  maxInputTokens: 128_000,
  maxOutputTokens: 16_384,
  tiers: { default: [{ aboveInputTokens: 0, nanoUsdPerMillion: { input: 150_000_000n, cacheRead: 75_000_000n, output: 600_000_000n } }] },
  unitNanoUsd: {},
};

export const priceBook: PriceBook = {
  find: (model) => (model === MODEL ? price : undefined),
  byId: (id) => Promise.resolve(id === price.id ? price : undefined),
  models: () => [price],
};

export const usageQuery: UsageQuery = {
  ofKey: () => Promise.reject(new Error('nobody asks for usage here')),
};

export function upstreamDirectory(baseUrl: string): UpstreamDirectory {
  const upstream = { upstreamId: '01890000-0000-7000-8000-000000000004', name: 'bench', platform: 'openai', baseUrl, credential: 'bench-credential', modelMapping: new Map<string, string>(), priority: 1 } as const;
  return { upstreamsOf: () => Promise.resolve([upstream]) };
}

const POST_INTERVAL_MS = 100;

/** Posts what was settled and lets the spool go, as billing and ledger do, so that neither grows for ever. */
export class LedgerStandIn {
  /** Requests that were posted. */
  charged = 0;
  private seq = 1n;

  constructor(
    private readonly admission: MemoryAdmission,
    private readonly spool: Spool,
  ) {
    setInterval(() => this.post(), POST_INTERVAL_MS).unref();
  }

  private post(): void {
    this.spool.release(this.spool.end);
    for (const { accountId, requestIds } of this.admission.unposted(0)) {
      if (requestIds.length === 0) continue;
      this.charged += requestIds.length;
      this.seq += 1n;
      void this.admission.post({ accountId, seq: this.seq, balanceNanoUsd: BALANCE_NANO_USD, requestIds });
    }
  }
}

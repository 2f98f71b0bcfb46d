import type { ScopedLimits } from '@tokone/account-client';
import type { AccountOpener, Admission, AdmissionPosting } from '@tokone/admission';
import { MemoryAdmission, RedisAccounts, RedisAdmission } from '@tokone/admission';
import { RedisStore } from '@tokone/redis';
import { silentLogger } from '@tokone/telemetry';

export type DriverName = 'map' | 'Redis' | 'Redis, all limits';

/** One way to keep balances, loaded with accounts; its owner must close it. */
export interface AdmissionDriver {
  name: DriverName;
  admission: Admission;
  /** What each request counts in. */
  limits: readonly ScopedLimits[];
  post(posting: AdmissionPosting): Promise<void>;
  close(): Promise<void>;
}

/** More than any run spends. */
export const BALANCE_NANO_USD = 1_000_000_000_000_000n;
/** The measuring process and Redis have one processor each; the 50 ms of the product would refuse what a pause of the machine delays. */
const DEADLINE_MS = 2_000;
const NEVER_REACHED = 2_000_000_000;
const CONNECT_DEADLINE_MS = 10_000;

export function mapDriver(): AdmissionDriver {
  const admission = new MemoryAdmission({ balances: { read: () => Promise.resolve({ seq: 0n, balanceNanoUsd: BALANCE_NANO_USD }) }, now: () => performance.now() });
  return { name: 'map', admission, limits: [], post: (posting) => admission.post(posting), close: () => Promise.resolve() };
}

/** With `limits` on accounts of its own: two of them do not share what they keep. */
export async function redisDriver(url: string, name: Exclude<DriverName, 'map'>): Promise<AdmissionDriver> {
  const now = (): number => performance.now();
  const store = new RedisStore({ url, clientName: 'bench', logger: silentLogger, now, deadlineMs: DEADLINE_MS });
  await store.untilConnected(CONNECT_DEADLINE_MS);
  const accounts = new RedisAccounts(store, `bench ${name}:`);
  const admission = new RedisAdmission({ accounts, store, opener: openerOf(accounts), gatewayId: 'bench', now });
  admission.start();
  return {
    name,
    admission,
    limits: name === 'Redis' ? [] : ALL_LIMITS,
    post: async (posting) => void (await accounts.post(posting)),
    close: async () => {
      await admission.stop();
      await store.close();
    },
  };
}

/** All three in all four scopes, none of which is ever reached. */
const ALL_LIMITS: readonly ScopedLimits[] = (['account', 'user', 'key', 'group'] as const).map((scope) => ({ scope, id: `bench-${scope}`, requestsPerMinute: NEVER_REACHED, tokensPerMinute: NEVER_REACHED, concurrentRequests: NEVER_REACHED }));

/** As the account service does it, where nothing is on its way. */
function openerOf(accounts: RedisAccounts): AccountOpener {
  const open = async (accountId: string): Promise<[string, string | undefined]> => {
    const token = `bench.${accountId}`;
    const state = await accounts.begin(accountId, { token, replica: 'bench', staleMs: 0 });
    if (typeof state === 'object') return [accountId, state.ready];
    await accounts.open(accountId, token, { seq: 0n, balanceNanoUsd: BALANCE_NANO_USD });
    return [accountId, token];
  };
  return { open: async (accountIds) => new Map(await Promise.all(accountIds.map(open))) };
}

import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { AccountOpenings, CappedBalances, FirstOpenings, LeaseSweeper, PostgresGatewayRegistry, RedisPosts, RedisView } from '@tokone/account';
import type { AccountFeature, LedgerFence, LedgerService } from '@tokone/account';
import { GatewayClients, RedisAccounts } from '@tokone/admission';
import { StartupError } from '@tokone/persistence';
import { RedisStore } from '@tokone/redis';
import type { ServiceWorld } from '@tokone/service';
import type { AccountSettings } from './settings.js';

/** Redis as the account service uses it. */
export interface SharedAdmission {
  accounts: RedisAccounts;
  posts: RedisPosts;
  capped: CappedBalances;
  view: RedisView;
  /** Keys and balances are told without it. */
  connected: () => boolean;
}

/** Nobody waits for what is told here, and whatever fails is repeated. */
const REDIS_ANSWER_MS = 1_000;
/** Redis may start at the same time. */
const REDIS_DEADLINE_MS = 60_000;

/** @throws StartupError when Redis does not answer within a minute. */
export async function openSharedAdmission(settings: AccountSettings, { logger, parts, stop }: ServiceWorld): Promise<SharedAdmission> {
  const cluster = settings.TOKONE_REDIS_CLUSTER === 'yes';
  const options = { url: settings.REDIS_URL, cluster, clientName: 'tokone-account', logger, now: () => performance.now(), deadlineMs: REDIS_ANSWER_MS };
  const store = parts.add('Redis', new RedisStore(options), (opened) => opened.close());
  await parts.whileWanted(
    store.untilConnected(REDIS_DEADLINE_MS, stop).catch((cause: unknown) => {
      throw new StartupError(`${(cause as Error).message}. Start Redis, and see REDIS_URL.`, { cause });
    }),
  );
  const accounts = new RedisAccounts(store, settings.TOKONE_REDIS_PREFIX);
  const capped = new CappedBalances((accountId) => logger.warn({ accountId }, 'a balance above 9,007,199 USD is offered to requests up to that amount'));
  const onTrouble = (failures: readonly unknown[]): void => logger.warn({ failures: failures.length, cause: String(failures[0]) }, 'some accounts of Redis could not be looked at; those of all others were');
  return { accounts, posts: new RedisPosts({ accounts, capped }), capped, view: new RedisView({ accounts, onTrouble }), connected: () => store.connected };
}

export interface OpeningsInput {
  world: ServiceWorld;
  feature: AccountFeature;
  ledger: LedgerService;
  admission: SharedAdmission;
  fence: Pick<LedgerFence, 'pass'>;
}

/** The way of cold accounts to open ones, and the sweeper of what gateways left behind. */
export function startOpenings(settings: AccountSettings, { world, feature, ledger, admission, fence }: OpeningsInput): { openings: AccountOpenings; gateways: PostgresGatewayRegistry; clients: GatewayClients } {
  const { parts, logger } = world;
  const now = (): number => performance.now();
  const { pool, raiseAlarm } = feature.parts;
  const { accounts, capped, view } = admission;
  const gateways = new PostgresGatewayRegistry(pool);
  const clients = parts.add('gateway clients', new GatewayClients({ secret: settings.TOKONE_INTERNAL_SECRET, now }), (opened) => opened.close());
  const onTrouble = (error: unknown): void => logger.warn({ cause: String(error) }, 'accounts that admission does not know could not be opened; it is tried again');
  const openings = new AccountOpenings({ accounts, gateways, clients, fence, firstOpenings: new FirstOpenings(pool), balances: feature.balances, capped, raiseAlarm, now, pause, replica: randomUUID(), onTrouble, onRound: (opened, durationMs) => feature.metrics.opened(opened, durationMs) });
  feature.metrics.watchOpenings(() => openings.waitingAccounts);
  parts.add('openings', openings, (opened) => opened.stop());
  const leases = parts.add('leases', new LeaseSweeper({ view, accounts, gateways, clients, fence, postings: ledger.sweeper, raiseAlarm }), (opened) => opened.stop());
  leases.start();
  return { openings, gateways, clients };
}

import { GatewayHolds, HttpAccountOpener, RedisAccounts, RedisAdmission, gatewayHoldsInternal } from '@tokone/admission';
import { InternalClient } from '@tokone/http';
import { StartupError } from '@tokone/persistence';
import { RedisStore } from '@tokone/redis';
import type { ServiceWorld } from '@tokone/service';
import type { GatewaySettings } from './settings.js';

/** The balances that all gateways share. */
export interface OpenedAdmission {
  driver: RedisAdmission;
  holds: GatewayHolds;
  /** What it has for the account service. */
  internal: ReturnType<typeof gatewayHoldsInternal>;
  /** Before the first account is opened: how to wait until the log has all that this gateway closed. */
  shipsBy(shipped: (deadlineMs: number) => Promise<void>): void;
}

/** Questions that wait for an account to be opened, at a time. */
const OPENING_CONNECTIONS = 8;
/** Redis may start at the same time. */
const REDIS_DEADLINE_MS = 60_000;

/** @throws StartupError when Redis does not answer within a minute. */
export async function openAdmission(settings: GatewaySettings, world: ServiceWorld & { gatewayId: string }): Promise<OpenedAdmission> {
  const { logger, parts, gatewayId, stop } = world;
  const now = (): number => performance.now();
  const cluster = settings.TOKONE_REDIS_CLUSTER === 'yes';
  const store = parts.add('Redis', new RedisStore({ url: settings.REDIS_URL, cluster, clientName: `tokone-gateway-${gatewayId}`, logger, now, deadlineMs: settings.TOKONE_ADMISSION_TIMEOUT_MS }), (opened) => opened.close());
  await parts.whileWanted(store.untilConnected(REDIS_DEADLINE_MS, stop).catch(refuseStart));
  const client = new InternalClient({ baseUrls: settings.TOKONE_ACCOUNT_URLS, secret: settings.TOKONE_INTERNAL_SECRET, connectionsPerReplica: OPENING_CONNECTIONS, now });
  const opener = new HttpAccountOpener(parts.add('account client of admission', client, (opened) => opened.close()));
  const accounts = new RedisAccounts(store, settings.TOKONE_REDIS_PREFIX);
  const driver = parts.add('admission', new RedisAdmission({ accounts, store, opener, gatewayId, now }), (opened) => opened.stop());
  driver.start();
  let ships = (_deadlineMs: number): Promise<void> => Promise.reject(new Error('the shipper is not started yet'));
  const holds = new GatewayHolds({ admission: driver, gatewayId, shipped: (deadlineMs) => ships(deadlineMs) });
  return { driver, holds, internal: gatewayHoldsInternal(holds), shipsBy: (shipped) => void (ships = shipped) };
}

function refuseStart(cause: unknown): never {
  throw new StartupError(`${(cause as Error).message}. Start Redis, and see REDIS_URL.`, { cause });
}

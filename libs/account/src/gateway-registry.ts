import { GATEWAY_REPLACED } from '@tokone/account-client';
import type { GatewayIdentity, GatewayRegistry, LiveGateway } from '@tokone/account-client';
import type { Pool } from '@tokone/persistence';

/** A gateway that was heard of within that time may hold balances. Heartbeats come every second; longer, it may only have been slow. */
const LIVE_SECONDS = 10;
/** Rows of gateways that are gone for good. */
const FORGOTTEN_SECONDS = 86_400;

/** A heartbeat of a run that is over: a later one has joined. */
export class GatewayReplacedError extends Error {
  override readonly name = 'GatewayReplacedError';
  readonly code = GATEWAY_REPLACED;
}

/** One that may hold balances, and for how long nothing was heard of it. */
export interface HeardGateway extends LiveGateway {
  silentMs: number;
}

/**
 * The gateways by their heartbeats, in account's own table. All times are of the database's clock, so that replicas of
 * the account service need not agree on one.
 */
export class PostgresGatewayRegistry implements GatewayRegistry {
  constructor(private readonly pool: Pool) {}

  async join(gateway: LiveGateway): Promise<void> {
    await this.pool.query(JOIN, [gateway.gatewayId, gateway.instanceId, gateway.url]);
    await this.pool.query(`DELETE FROM account.gateways WHERE heartbeat_at < now() - make_interval(secs => $1)`, [FORGOTTEN_SECONDS]);
  }

  /** @throws GatewayReplacedError when a later run of this gateway has joined. */
  async heartbeat(gateway: LiveGateway): Promise<void> {
    const { rowCount } = await this.pool.query(HEARTBEAT, [gateway.gatewayId, gateway.instanceId, gateway.url]);
    if (rowCount === 0) throw new GatewayReplacedError(`A later run of gateway ${gateway.gatewayId} has taken its place; this one is over.`);
  }

  async leave({ gatewayId, instanceId }: GatewayIdentity): Promise<void> {
    await this.pool.query('DELETE FROM account.gateways WHERE gateway_id = $1 AND instance_id = $2', [gatewayId, instanceId]);
  }

  /** Those that may hold balances. */
  async live(): Promise<HeardGateway[]> {
    const { rows } = await this.pool.query<GatewayRow>(
      `SELECT gateway_id, instance_id, url, greatest(0, extract(epoch FROM now() - heartbeat_at) * 1000)::float8 AS silent_ms
       FROM account.gateways WHERE heartbeat_at > now() - make_interval(secs => $1) ORDER BY gateway_id`,
      [LIVE_SECONDS],
    );
    return rows.map((row) => ({ gatewayId: row.gateway_id, instanceId: row.instance_id, url: row.url, silentMs: row.silent_ms }));
  }
}

interface GatewayRow {
  gateway_id: string;
  instance_id: string;
  url: string;
  silent_ms: number;
}

const JOIN = `
INSERT INTO account.gateways (gateway_id, instance_id, url) VALUES ($1, $2, $3)
ON CONFLICT (gateway_id) DO UPDATE SET url = excluded.url, heartbeat_at = now(), instance_id = excluded.instance_id, started_at = now()`;

/** A row that was forgotten meanwhile is written anew; one of another run stays. */
const HEARTBEAT = `
INSERT INTO account.gateways AS g (gateway_id, instance_id, url) VALUES ($1, $2, $3)
ON CONFLICT (gateway_id) DO UPDATE SET url = excluded.url, heartbeat_at = now() WHERE g.instance_id = excluded.instance_id`;

import { OTHER_GATEWAY } from '@tokone/account-client';
import type { GatewayIdentity, GatewayRegistry, LiveGateway } from '@tokone/account-client';
import { inTransaction } from '@tokone/persistence';
import type { Pool, PoolClient } from '@tokone/persistence';

/** A gateway whose last heartbeat is younger keeps all others out. Heartbeats come every second. */
const ALIVE_SECONDS = 5;
/** A gateway whose last heartbeat is younger is told of postings. Longer: it may only have been slow. */
const TOLD_SECONDS = 10;
/** Rows of gateways that are gone for good. */
const FORGOTTEN_SECONDS = 86_400;
const REGISTRY_LOCK = 'tokone.account.gateways';

/** A heartbeat that came while another gateway is alive. */
export class OtherGatewayError extends Error {
  override readonly name = 'OtherGatewayError';
  readonly code = OTHER_GATEWAY;
}

/**
 * The gateways by their heartbeats, in account's own table. All times are of the database's clock, so that replicas of
 * the account service need not agree on one.
 */
export class PostgresGatewayRegistry implements GatewayRegistry {
  constructor(private readonly pool: Pool) {}

  /** @throws OtherGatewayError while another gateway, or another run of this one, is alive. */
  async heartbeat(gateway: LiveGateway): Promise<void> {
    await inTransaction(this.pool, async (client) => {
      // One after the other: two gateways that start at the same moment must not both find nobody there.
      await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [REGISTRY_LOCK]);
      await refuseSecond(client, gateway);
      await client.query(HEARTBEAT, [gateway.gatewayId, gateway.instanceId, gateway.url]);
      await client.query(`DELETE FROM account.gateways WHERE heartbeat_at < now() - make_interval(secs => $1)`, [FORGOTTEN_SECONDS]);
    });
  }

  async leave({ gatewayId, instanceId }: GatewayIdentity): Promise<void> {
    await this.pool.query('DELETE FROM account.gateways WHERE gateway_id = $1 AND instance_id = $2', [gatewayId, instanceId]);
  }

  /** Those that must hear of what is posted. */
  async live(): Promise<LiveGateway[]> {
    const { rows } = await this.pool.query<GatewayRow>(
      `SELECT gateway_id, instance_id, url FROM account.gateways WHERE heartbeat_at > now() - make_interval(secs => $1) ORDER BY gateway_id`,
      [TOLD_SECONDS],
    );
    return rows.map((row) => ({ gatewayId: row.gateway_id, instanceId: row.instance_id, url: row.url }));
  }
}

interface GatewayRow {
  gateway_id: string;
  instance_id: string;
  url: string;
}

/** A run that went silent and comes back is refused as well, once another one has taken its place. */
async function refuseSecond(client: PoolClient, { gatewayId, instanceId }: GatewayIdentity): Promise<void> {
  const { rows } = await client.query<GatewayRow>(
    `SELECT gateway_id, instance_id, url FROM account.gateways
     WHERE (gateway_id, instance_id) <> ($1::uuid, $2::uuid) AND heartbeat_at > now() - make_interval(secs => $3) LIMIT 1`,
    [gatewayId, instanceId, ALIVE_SECONDS],
  );
  const [other] = rows;
  if (other === undefined) return;
  const which = other.gateway_id === gatewayId ? 'an earlier run of this gateway' : `gateway ${other.gateway_id}`;
  throw new OtherGatewayError(`One gateway at a time until admission is shared: ${which} at ${other.url} is alive. Stop it first; after a kill it counts as alive for ${ALIVE_SECONDS} s.`);
}

const HEARTBEAT = `
INSERT INTO account.gateways (gateway_id, instance_id, url) VALUES ($1, $2, $3)
ON CONFLICT (gateway_id) DO UPDATE SET url = excluded.url, heartbeat_at = now(), instance_id = excluded.instance_id,
  started_at = CASE WHEN gateways.instance_id = excluded.instance_id THEN gateways.started_at ELSE now() END`;

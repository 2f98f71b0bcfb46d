import { readRecordReport } from '@tokone/account-client';
import type { GatewayRecordReport, GatewayRecords } from '@tokone/account-client';
import type { GatewayClients } from '@tokone/admission';
import type { Pool } from '@tokone/persistence';

/** Above what a gateway may wait for itself. */
const ANSWER_MS = 2_000;

interface KnownGateway {
  gateway_id: string;
  url: string;
  silent_seconds: number;
  is_live: boolean;
}

/** By how much the clocks of a gateway and of the database may differ. */
const CLOCK_MARGIN_MS = 60_000;

/** What the gateways recorded, over their internal listeners. Who has left is not asked any more: the others tell it all from then on. */
export class HttpGatewayRecords implements GatewayRecords {
  constructor(
    private readonly pool: Pool,
    private readonly clients: Pick<GatewayClients, 'clientOf'>,
  ) {}

  /** @throws for a gateway that is silent: what it recorded and did not hand on is in its spool. */
  async reports(deadlineMs: number): Promise<GatewayRecordReport[]> {
    const { rows: known } = await this.pool.query<KnownGateway>(KNOWN);
    const silent = known.find((gateway) => !gateway.is_live);
    if (silent) throw new Error(`gateway ${silent.gateway_id} at ${silent.url} has been silent for ${Math.round(silent.silent_seconds)} s`);
    if (known.length === 0) throw new Error('no gateway is alive');
    const path = `/internal/gateway/records?waitMs=${deadlineMs}`;
    const reports = await Promise.all(known.map(({ url }) => this.clients.clientOf(url).call({ method: 'GET', path, deadlineMs: deadlineMs + ANSWER_MS, read: readRecordReport })));
    const goneMs = await this.lastDeparture(reports.map(({ gatewayId }) => gatewayId));
    return goneMs === undefined ? reports : reports.map((report) => ({ ...report, sinceMs: Math.max(report.sinceMs, goneMs + CLOCK_MARGIN_MS) }));
  }

  /** When the last gateway went that has not come back, in milliseconds since 1970. */
  private async lastDeparture(present: readonly string[]): Promise<number | undefined> {
    const { rows } = await this.pool.query<{ left_ms: number | null }>('SELECT extract(epoch FROM max(left_at))::float8 * 1000 AS left_ms FROM account.departed_gateways WHERE gateway_id <> ALL ($1::uuid[])', [present]);
    return rows[0]?.left_ms ?? undefined;
  }
}

const KNOWN = `
  SELECT gateway_id, url, extract(epoch FROM now() - heartbeat_at)::float8 AS silent_seconds, heartbeat_at > now() - interval '10 seconds' AS is_live
  FROM account.gateways WHERE heartbeat_at > now() - interval '1 day' ORDER BY heartbeat_at`;

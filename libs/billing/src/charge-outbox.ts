import type { RatedCharge } from '@tokone/events';
import type { PoolClient } from '@tokone/persistence';
import { OutboxReader } from './outbox-reader.js';
import type { OutboxParts } from './outbox-reader.js';

/** One batch of charges, as it was committed with its usage rows. */
export interface ChargeRow {
  id: bigint;
  charges: readonly RatedCharge[];
}

interface StoredRow {
  id: bigint;
  charges: { id: string; accountId: string; ratedNanoUsd: string; chargeNanoUsd: string; traceparent?: string }[];
}

const POLL_MS = 25;

/** The table of charges that are rated and not yet handed on. Readers in any number of processes share its rows. */
export class ChargeOutbox {
  constructor(private readonly parts: OutboxParts) {}

  /** A reader of whole rows, not started. Its owner stops it. */
  reader(work: { failure: string; rowsPerClaim: number; handle(rows: readonly ChargeRow[]): Promise<void> }): OutboxReader<ChargeRow> {
    return new OutboxReader(this.parts, { ...work, take: takeRows });
  }

  /**
   * Whether every row that was committed at the time of the call is handed on within the deadline, by whatever process.
   * What a reader holds is not handed on yet.
   */
  async passed(deadlineMs: number): Promise<boolean> {
    const deadline = AbortSignal.timeout(deadlineMs);
    const { pool, signal } = this.parts;
    const { rows } = await pool.query<{ last: bigint | null }>('SELECT max(id) AS last FROM billing.outbox');
    const last = rows[0]?.last ?? null;
    while (last !== null) {
      const left = await pool.query('SELECT 1 FROM billing.outbox WHERE id <= $1 LIMIT 1', [last.toString()]);
      if (left.rowCount === 0) break;
      if (deadline.aborted) return false;
      await signal.wait(signal.given, POLL_MS, deadline);
    }
    return true;
  }
}

/** The inner select stands in an array, so that it runs once: in a join it could lock more rows than it returns. */
const TAKE_ROWS = `
  DELETE FROM billing.outbox WHERE id = ANY(ARRAY(
    SELECT id FROM billing.outbox WHERE id <> ALL($1::bigint[]) ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED))
  RETURNING id, charges`;

async function takeRows(client: PoolClient, { except, limit }: { except: readonly bigint[]; limit: number }): Promise<ChargeRow[]> {
  const values = [except.map(String), limit];
  const { rows } = await client.query<StoredRow>({ name: 'billing.take-charges', text: TAKE_ROWS, values });
  return rows.sort((a, b) => (a.id < b.id ? -1 : 1)).map(({ id, charges }) => ({ id, charges: charges.map(readCharge) }));
}

function readCharge({ id, accountId, ratedNanoUsd, chargeNanoUsd, traceparent }: StoredRow['charges'][number]): RatedCharge {
  return { id, accountId, ratedNanoUsd: BigInt(ratedNanoUsd), chargeNanoUsd: BigInt(chargeNanoUsd), ...(traceparent !== undefined && { traceparent }) };
}

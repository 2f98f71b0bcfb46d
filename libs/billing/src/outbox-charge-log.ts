import type { RatedCharge } from '@tokone/events';
import { CatchUpError } from '@tokone/messaging';
import type { ChargeLog, Consumption } from '@tokone/messaging';
import { inTransaction } from '@tokone/persistence';
import type { Pool, PoolClient } from '@tokone/persistence';
import type { BillingLog } from './billing-log.js';
import type { OutboxSignal } from './outbox-signal.js';

export type ChargeHandler = (charges: readonly RatedCharge[]) => Promise<void>;

export interface OutboxParts {
  pool: Pool;
  signal: OutboxSignal;
  log: BillingLog;
  /** How often a reader looks without being woken; default 1 s. */
  pollMs?: number;
}

const POLL_MS = 1_000;
/** Rows, of at most 500 charges each, that one call of the handler gets. */
const ROWS_PER_CLAIM = 4;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
const MAX_RESTING = 1_000;
const CAUGHT_UP_POLL_MS = 25;

/**
 * `charge.rated` out of billing's outbox table, for an account service in the same process.
 *
 * At least once: a row is locked while the handler works and deleted after it has resolved; when the handler throws,
 * or the process or the connection dies, the lock is gone and the row is handed over again. Any number of consumers,
 * in any processes, share the rows. No order is promised: a row whose handler fails is set aside for the others first.
 * The handler must be done within the pool's statement deadline, else its row may go to another consumer as well.
 */
export class OutboxChargeLog implements ChargeLog {
  constructor(private readonly parts: OutboxParts) {}

  async consume(handle: ChargeHandler): Promise<Consumption> {
    return new OutboxConsumption(this.parts, handle);
  }
}

interface OutboxRow {
  id: bigint;
  charges: { id: string; accountId: string; ratedNanoUsd: string; chargeNanoUsd: string }[];
}

class OutboxConsumption implements Consumption {
  private readonly stopping = new AbortController();
  private readonly running: Promise<void>;
  /** Rows whose handler failed, until everything else was tried. */
  private readonly resting = new Set<bigint>();
  private claimSize = ROWS_PER_CLAIM;

  constructor(
    private readonly parts: OutboxParts,
    private readonly handle: ChargeHandler,
  ) {
    this.running = this.run();
  }

  /** All that was committed to the outbox at the time of the call; what another consumer holds counts as not handled. */
  async caughtUp(deadlineMs: number): Promise<void> {
    const deadline = AbortSignal.timeout(deadlineMs);
    const { pool, signal } = this.parts;
    const { rows } = await pool.query<{ last: bigint | null }>('SELECT max(id) AS last FROM billing.outbox');
    const last = rows[0]?.last ?? null;
    if (last === null) return;
    while (!deadline.aborted) {
      const left = await pool.query('SELECT 1 FROM billing.outbox WHERE id <= $1 LIMIT 1', [last.toString()]);
      if (left.rowCount === 0) return;
      await signal.wait(signal.given, CAUGHT_UP_POLL_MS, deadline);
    }
    throw new CatchUpError(`the outbox was not posted within ${deadlineMs} ms`);
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    const { signal, log, pollMs = POLL_MS } = this.parts;
    let failures = 0;
    while (!this.stopping.signal.aborted) {
      const seen = signal.given;
      try {
        const taken = await this.takeSome();
        failures = 0;
        if (taken === 0) await signal.wait(seen, pollMs, this.stopping.signal);
      } catch (error) {
        const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** failures++, LONGEST_PAUSE_MS);
        log.warn({ reason: String(error), failures, pauseMs }, 'charges could not be posted; they will be handed over again');
        await pause(pauseMs, this.stopping.signal);
      }
    }
  }

  /** @returns how many rows were posted. */
  private async takeSome(): Promise<number> {
    let claimed: OutboxRow[] = [];
    try {
      await inTransaction(this.parts.pool, async (client) => {
        claimed = await this.claim(client);
        if (claimed.length === 0) return;
        await this.handle(claimed.flatMap(({ charges }) => charges.map(readCharge)));
        await client.query('DELETE FROM billing.outbox WHERE id = ANY($1::bigint[])', [claimed.map(({ id }) => id.toString())]);
      });
    } catch (error) {
      this.setAside(claimed);
      throw error;
    }
    // Whatever failed before had the others go first; now it is its turn.
    if (claimed.length === 0) this.resting.clear();
    else this.claimSize = this.resting.size > 0 ? 1 : ROWS_PER_CLAIM;
    return claimed.length;
  }

  private async claim(client: PoolClient): Promise<OutboxRow[]> {
    const { rows } = await client.query<OutboxRow>({
      name: 'billing.claim-outbox',
      text: `SELECT id, charges FROM billing.outbox WHERE id <> ALL($1::bigint[]) ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED`,
      values: [[...this.resting].map(String), this.claimSize],
    });
    return rows;
  }

  /** Several rows failed together: try them one by one. One failed alone: let the others pass it. */
  private setAside(claimed: readonly OutboxRow[]): void {
    const [only] = claimed;
    if (claimed.length === 1 && only !== undefined && this.resting.size < MAX_RESTING) this.resting.add(only.id);
    this.claimSize = 1;
  }
}

function readCharge(charge: OutboxRow['charges'][number]): RatedCharge {
  return {
    id: charge.id,
    accountId: charge.accountId,
    ratedNanoUsd: BigInt(charge.ratedNanoUsd),
    chargeNanoUsd: BigInt(charge.chargeNanoUsd),
  };
}

async function pause(ms: number, stop: AbortSignal): Promise<void> {
  if (stop.aborted) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      stop.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    stop.addEventListener('abort', done);
  });
}

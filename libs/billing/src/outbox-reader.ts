import { inTransaction } from '@tokone/persistence';
import type { Pool, PoolClient } from '@tokone/persistence';
import type { BillingLog } from './billing-log.js';
import type { OutboxSignal } from './outbox-signal.js';

export interface OutboxParts {
  pool: Pool;
  signal: OutboxSignal;
  log: BillingLog;
  /** How often a reader looks without being woken; default 1 s. */
  pollMs?: number;
}

export interface OutboxWork<Row extends { id: bigint }> {
  /** For the log: "charges could not be posted; …". */
  failure: string;
  /** Rows that one call of the handler gets, at most. */
  rowsPerClaim: number;
  /**
   * Takes rows that nobody else holds (`FOR UPDATE SKIP LOCKED`) out of the table, so that they are gone with the
   * commit and back with a rollback. One statement: a transaction costs no more than it must.
   */
  take(client: PoolClient, choice: { except: readonly bigint[]; limit: number }): Promise<Row[]>;
  /** When it rejects, all these rows are handed over again, maybe with others, or one by one. */
  handle(rows: readonly Row[]): Promise<void>;
}

const POLL_MS = 1_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
const MAX_RESTING = 1_000;

/**
 * Hands the rows of a table to a handler, at least once: a row is out of the table only when the handler has resolved
 * and that is committed; when the handler throws, or the process or the connection dies, it is handed over again. Any
 * number of readers, in any processes, share the rows. No order is promised: a row whose handler fails is set aside
 * for the others first. The handler must be done within the pool's statement deadline, else its rows may go to
 * another reader as well. Owner: start(), stop().
 */
export class OutboxReader<Row extends { id: bigint }> {
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;
  /** Rows whose handler failed, until everything else was tried. */
  private readonly resting = new Set<bigint>();
  private claimSize: number;

  constructor(
    private readonly parts: OutboxParts,
    private readonly work: OutboxWork<Row>,
  ) {
    this.claimSize = work.rowsPerClaim;
  }

  start(): void {
    this.running ??= this.run();
  }

  /** Finishes the running batch. */
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
        log.warn({ reason: String(error), failures, pauseMs }, `${this.work.failure}; they will be handed over again`);
        await pause(pauseMs, this.stopping.signal);
      }
    }
  }

  /** @returns how many rows are done. */
  private async takeSome(): Promise<number> {
    const { rowsPerClaim, take, handle } = this.work;
    let taken: Row[] = [];
    try {
      await inTransaction(this.parts.pool, async (client) => {
        taken = await take(client, { except: [...this.resting], limit: this.claimSize });
        if (taken.length > 0) await handle(taken);
      });
    } catch (error) {
      this.setAside(taken);
      throw error;
    }
    // Whatever failed before had the others go first; now it is its turn.
    if (taken.length === 0) this.resting.clear();
    // Not at once: among many rows there may be more than one that fails.
    else this.claimSize = Math.min(rowsPerClaim, this.claimSize * 2);
    return taken.length;
  }

  /** Several rows failed together: try them one by one. One failed alone: let the others pass it. */
  private setAside(taken: readonly Row[]): void {
    const [only] = taken;
    if (taken.length === 1 && only !== undefined && this.resting.size < MAX_RESTING) this.resting.add(only.id);
    this.claimSize = 1;
  }
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

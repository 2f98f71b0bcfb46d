import type { AccountChanged } from '@tokone/events';
import { accountChangedSchema } from '@tokone/events';
import { OneAtATime } from '@tokone/messaging';
import { inTransaction } from '@tokone/persistence';
import type { Pool } from '@tokone/persistence';
import type { RaiseAlarm } from './account-alarm.js';

/** Where changes are told. Resolves when the log has them; the driver brings its own deadline, at most a few seconds. */
export interface ChangePublisher {
  publish(events: readonly AccountChanged[]): Promise<void>;
}

export interface ChangePublicationParts {
  pool: Pool;
  publisher: ChangePublisher;
  raiseAlarm: RaiseAlarm;
  /** Pause between looks while there is nothing; default 200 ms. */
  pollMs?: number;
  /** After which a publication counts as failed; default 3 s: less than the pool's statement deadline. */
  deadlineMs?: number;
}

const POLL_MS = 200;
const DEADLINE_MS = 3_000;
const LONGEST_PAUSE_MS = 5_000;
const CLAIM_ROWS = 500;

/**
 * Account's outbox → `account.changed`. Any number of replicas share the rows: each claims what no other holds, and
 * deletes it after the acknowledgement, so an event may be published twice. Those that nobody took for ten minutes are
 * dropped by the table itself: a cache is no older than that. Owner: start and stop.
 */
export class ChangePublication {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private stopped = true;
  private failures = 0;
  private readonly calls: OneAtATime;

  constructor(private readonly parts: ChangePublicationParts) {
    this.calls = new OneAtATime(parts.deadlineMs ?? DEADLINE_MS, 'the log took the changes');
  }

  start(): void {
    if (!this.stopped) return;
    this.stopped = false;
    this.schedule(0);
  }

  /** Waits for a running publication. What is left stays in the table. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.running;
  }

  private schedule(pauseMs: number): void {
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      this.running = this.round().then((nextPauseMs) => this.schedule(nextPauseMs));
    }, pauseMs);
  }

  /** @returns the pause before the next round. */
  private async round(): Promise<number> {
    const { pollMs = POLL_MS } = this.parts;
    try {
      const published = await this.publishSome();
      this.failures = 0;
      return published < CLAIM_ROWS ? pollMs : 0;
    } catch (error) {
      const pauseMs = Math.min(LONGEST_PAUSE_MS, pollMs * 2 ** this.failures++);
      // Once per disturbance: readers find out by themselves within 5 s, so that each repetition is no news.
      if (this.failures === 1) this.parts.raiseAlarm({ kind: 'changes_not_published', error });
      return pauseMs;
    }
  }

  private async publishSome(): Promise<number> {
    return inTransaction(this.parts.pool, async (client) => {
      const { rows } = await client.query<{ id: bigint; event: unknown }>(CLAIM, [CLAIM_ROWS]);
      if (rows.length === 0) return 0;
      const events = rows.map(({ event }) => accountChangedSchema.parse(event));
      await this.calls.run(() => this.parts.publisher.publish(events));
      await client.query('DELETE FROM account.changes WHERE id = ANY ($1::bigint[])', [rows.map(({ id }) => id.toString())]);
      return rows.length;
    });
  }
}

const CLAIM = 'SELECT id, event FROM account.changes ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED';

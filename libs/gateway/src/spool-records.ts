import { MOST_LOST } from '@tokone/account-client';
import type { GatewayRecordReport } from '@tokone/account-client';
import type { StoredTally } from '@tokone/messaging';
import type { Spool } from '@tokone/spool';

export interface SpoolRecordsParts {
  spool: Pick<Spool, 'id' | 'openIds'>;
  /** Requests that may still close what they opened. */
  running: { ids(): ReadonlySet<string> };
  /** Who hands the spool's events on. */
  log: { caughtUp(deadlineMs: number): Promise<void>; readonly tallied: StoredTally | undefined };
}

/** Requests that are open at once, and more. */
const MOST_OPEN = 100_000;

/** What this gateway has recorded, as far as it was handed on. */
export class SpoolRecords {
  constructor(private readonly parts: SpoolRecordsParts) {}

  /** Everything that the spool holds now is in it. Rejects when it is not handed on within the deadline. */
  async report(deadlineMs: number): Promise<GatewayRecordReport> {
    const { spool, running, log } = this.parts;
    await log.caughtUp(deadlineMs);
    const tally = log.tallied;
    if (tally === undefined) throw new Error('what the spool holds is not counted yet');
    const alive = running.ids();
    const lost = spool.openIds(MOST_OPEN).filter((id) => !alive.has(id));
    return { gatewayId: spool.id, sinceMs: tally.since, minutes: tally.minutes, lost: lost.slice(0, MOST_LOST) };
  }
}

import type { RedisAccounts, RunningAnswer } from '@tokone/admission';
import type { RaiseAlarm } from '../account-alarm.js';
import type { UnpostedAccount } from '../balance-sweeper.js';
import type { HeardGateway } from '../gateway-registry.js';
import type { FenceAnswer } from '../ledger-fence.js';
import { eachOf } from './opening-round.js';
import type { ExpiredHold } from './redis-view.js';

export interface LeaseSweeperParts {
  /** Holds whose lease is over, as last seen. */
  view: { takeExpired(): ExpiredHold[] };
  accounts: Pick<RedisAccounts, 'drop'>;
  gateways: { live(): Promise<HeardGateway[]> };
  clients: { running(url: string, requests: readonly { accountId: string; requestId: string }[]): Promise<RunningAnswer> };
  fence: { pass(deadlineMs: number): Promise<FenceAnswer> };
  /** Tells admission what is posted of these, and returns it. */
  postings: { repeat(accounts: readonly UnpostedAccount[]): Promise<{ posted: ReadonlySet<string> }> };
  raiseAlarm: RaiseAlarm;
  /** Default 2 s. */
  intervalMs?: number;
}

const INTERVAL_MS = 2_000;
/** A gateway that is away for so long is not waited for: its holds are given back, and what it recorded is posted under the ledger's last wall. */
const AWAY_MS = 15 * 60_000;
const FENCE_MS = 5_000;

/**
 * Gives back holds that nobody will end: a gateway died between its reserve and its OPEN record, or a reserve arrived
 * after its tombstone. A hold is only given back when its gateway knows nothing of it, and nothing of it is on the way
 * to the ledger: else its money would be there twice for a moment. Owner: start and stop.
 */
export class LeaseSweeper {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private stopped = true;

  constructor(private readonly parts: LeaseSweeperParts) {}

  start(): void {
    this.stopped = false;
    this.schedule();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.running;
  }

  async sweep(): Promise<void> {
    const { view, fence, postings, accounts, raiseAlarm } = this.parts;
    const expired = view.takeExpired();
    if (expired.length === 0) return;
    const unknown = await this.unknownOf(expired);
    if (unknown.length === 0 || !(await fence.pass(FENCE_MS)).passed) return;
    const byAccount = Map.groupBy(unknown, ({ accountId }) => accountId);
    const { posted } = await postings.repeat(Array.from(byAccount, ([accountId, holds]) => ({ accountId, seq: -1n, requestIds: holds.map(({ requestId }) => requestId) })));
    const accountIds: string[] = [];
    let dropped = 0;
    const failures = await eachOf(byAccount, async ([accountId, holds]) => {
      const count = await accounts.drop(accountId, holds.filter(({ requestId }) => !posted.has(requestId)));
      dropped += count;
      if (count > 0) accountIds.push(accountId);
    });
    if (dropped > 0) raiseAlarm({ kind: 'holds_left_behind', holds: dropped, accountIds });
    const [failure] = failures;
    if (failure !== undefined) throw failure;
  }

  private schedule(): void {
    this.timer = setTimeout(() => {
      this.running = this.sweep()
        .catch((error: unknown) => this.parts.raiseAlarm({ kind: 'sweep_failed', error }))
        .finally(() => {
          if (!this.stopped) this.schedule();
        });
    }, this.parts.intervalMs ?? INTERVAL_MS);
  }

  /** Those that their gateway has nothing of, or whose gateway is long gone. */
  private async unknownOf(expired: readonly ExpiredHold[]): Promise<ExpiredHold[]> {
    const live = new Map((await this.parts.gateways.live()).map((gateway) => [gateway.gatewayId, gateway]));
    const found: ExpiredHold[] = [];
    for (const [owner, holds] of Map.groupBy(expired, (hold) => hold.owner)) {
      const gateway = live.get(owner);
      if (gateway === undefined) found.push(...holds.filter(({ expiredForMs }) => expiredForMs >= AWAY_MS));
      else found.push(...(await this.notRunning(gateway.url, holds)));
    }
    return found;
  }

  private async notRunning(url: string, holds: readonly ExpiredHold[]): Promise<ExpiredHold[]> {
    const answer = await this.parts.clients.running(url, holds.map(({ accountId, requestId }) => ({ accountId, requestId }))).catch(() => undefined);
    // One that does not answer is asked with the next sweep.
    if (!answer?.ready) return [];
    const running = new Set(answer.running);
    return holds.filter(({ requestId }) => !running.has(requestId));
  }
}

import type { ScopedLimits } from '@tokone/account-client';
import type { Settlement } from '../admission.js';
import type { AccountPassage } from './account-passage.js';
import { COLD } from './redis-accounts.js';
import type { RedisAccounts } from './redis-accounts.js';
import type { TrackedHolds } from './tracked-holds.js';

export type UnansweredAction = { accountId: string; requestId: string } & ({ kind: 'void'; limits?: readonly ScopedLimits[] | undefined } | ({ kind: 'settle' } & Settlement));

export interface UnansweredActionsOptions {
  accounts: Pick<RedisAccounts, 'void' | 'settle'>;
  passage: AccountPassage;
  holds: TrackedHolds;
  /** Milliseconds, monotonic. */
  now: () => number;
  /** Default 100,000. */
  most?: number;
}

const INTERVAL_MS = 250;
const AT_ONCE = 200;
/** By then a sweeper has voided the hold, or the posting has removed it. */
const GIVE_UP_MS = 15 * 60_000;
/** Beyond it, what is added is left to the sweeper. */
const MOST = 100_000;

/** Voids and settles that got no answer, repeated until they have one. Both may take place more than once. */
export class UnansweredActions {
  private readonly actions = new Map<string, { action: UnansweredAction; sinceMs: number }>();
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private started = false;

  constructor(private readonly options: UnansweredActionsOptions) {}

  get size(): number {
    return this.actions.size;
  }

  start(): void {
    this.started = true;
    this.schedule();
  }

  async stop(): Promise<void> {
    this.started = false;
    clearTimeout(this.timer);
    this.timer = undefined;
    await this.running;
  }

  add(action: UnansweredAction): void {
    if (this.actions.size >= (this.options.most ?? MOST)) {
      // Known as held no longer, so that its lease ends and the sweeper finds it.
      this.options.holds.delete(action.accountId, action.requestId);
      return;
    }
    this.actions.set(action.requestId, { action, sinceMs: this.options.now() });
    this.schedule();
  }

  private schedule(): void {
    if (!this.started || this.timer !== undefined || this.actions.size === 0) return;
    this.timer = setTimeout(() => {
      this.running = this.repeat().finally(() => {
        this.timer = undefined;
        this.schedule();
      });
    }, INTERVAL_MS);
  }

  private async repeat(): Promise<void> {
    const waiting = [...this.actions.values()].values();
    const worker = async (): Promise<void> => {
      for (const { action, sinceMs } of waiting) {
        if (!this.started) return;
        const done = await this.answered(action).catch(() => false);
        if (!done && this.options.now() - sinceMs < GIVE_UP_MS) continue;
        this.actions.delete(action.requestId);
        this.options.holds.delete(action.accountId, action.requestId);
      }
    };
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, this.actions.size) }, worker));
  }

  private async answered(action: UnansweredAction): Promise<boolean> {
    const { accounts, passage } = this.options;
    const { accountId, requestId } = action;
    const allowed = await passage.mayAsk(accountId);
    if (action.kind === 'void') {
      // One that finds the account cold has nothing to give back; what arrives later is a hold that nobody renews.
      if (allowed) return accounts.void(accountId, requestId, action.limits).then(() => true);
      // Opened elsewhere, it may have the hold there. Where that opening is lost by now, nobody else may ask for the next.
      passage.openSoon(accountId);
      return false;
    }
    const { costNanoUsd, heldNanoUsd, usedTokens } = action;
    const mostNanoUsd = costNanoUsd < heldNanoUsd ? costNanoUsd : heldNanoUsd;
    const settlement = { requestId, costNanoUsd: mostNanoUsd, heldNanoUsd, ...(usedTokens !== undefined && { usedTokens }) };
    const granted = allowed ? await accounts.settle(accountId, settlement, this.options.holds.limitsOf(accountId, requestId)) : COLD;
    if (granted === COLD) passage.openSoon(accountId);
    return granted !== COLD;
  }
}

import { eachOf, openAll, openRound } from './opening-round.js';
import type { OpeningParts } from './opening-round.js';

export interface AccountOpeningsParts extends OpeningParts {
  /** This process: in front of each token. */
  replica: string;
  onTrouble: (error: unknown) => void;
  /** How many accounts a round opened that passed the fence, and how long it took. */
  onRound?: (accounts: number, durationMs: number) => void;
}

interface Waiter {
  opened: Promise<string | undefined>;
  tell: (token: string | undefined) => void;
}

const MOST_IN_ROUND = 1_000;
/** Beyond it, who asks is refused. */
const MOST_WAITING = 100_000;
/** An opening that another replica left behind. */
const STALE_MS = 5_000;
const AGAIN_MS = 50;
const AFTER_TROUBLE_MS = 250;

/**
 * Opens the accounts that Redis does not know, for all gateways. Whoever asks while a round is under way comes with the
 * next, so that one passage of the fence serves all accounts of that moment. Owner: stop().
 */
export class AccountOpenings {
  private readonly waiting = new Map<string, Waiter>();
  private running: Promise<void> | undefined;
  private stopped = false;
  private rounds = 0;

  constructor(private readonly parts: AccountOpeningsParts) {}

  /**
   * In the answer: the token of each account that is open within `waitMs`, or undefined where there is no such account.
   * @throws an Error when too many wait already.
   */
  async open(accountIds: readonly string[], waitMs: number): Promise<Map<string, string | undefined>> {
    if (this.waiting.size + accountIds.length > MOST_WAITING) throw new Error(`${MOST_WAITING} accounts wait to be opened already`);
    const answers = new Map<string, string | undefined>();
    const all = Promise.all(accountIds.map(async (accountId) => answers.set(accountId, await this.want(accountId))));
    this.running ??= this.run().finally(() => (this.running = undefined));
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([all, new Promise((resolve) => (timer = setTimeout(resolve, waitMs)))]);
    clearTimeout(timer);
    return new Map(answers);
  }

  /** Accounts that were asked for and are not open yet. */
  get waitingAccounts(): number {
    return this.waiting.size;
  }

  /** Lets a running round end. Who waits is not answered any more. */
  async stop(): Promise<void> {
    this.stopped = true;
    await this.running;
  }

  private want(accountId: string): Promise<string | undefined> {
    const known = this.waiting.get(accountId);
    if (known) return known.opened;
    const { promise: opened, resolve: tell } = Promise.withResolvers<string | undefined>();
    this.waiting.set(accountId, { opened, tell });
    return opened;
  }

  private async run(): Promise<void> {
    // Whoever asks in the same moment comes along.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.waiting.size > 0 && !this.stopped) {
      try {
        if (!(await this.round())) await this.parts.pause(AGAIN_MS);
      } catch (error) {
        this.parts.onTrouble(error);
        // Nobody is kept waiting for what may take long: a gateway whose request still waits asks again.
        if (this.waiting.size > MOST_WAITING / 2) this.waiting.clear();
        await this.parts.pause(AFTER_TROUBLE_MS);
      }
    }
  }

  /** False: nothing could be done, since another replica is at it. */
  private async round(): Promise<boolean> {
    const { parts } = this;
    const startedAtMs = parts.now();
    const token = `${parts.replica}.${++this.rounds}`;
    const wanted = this.nextInLine();
    const existing = await parts.balances.readAll(wanted);
    const begun: string[] = [];
    let settled = 0;
    const failures = await eachOf(wanted, async (accountId) => {
      if (!existing.has(accountId)) return void (settled += this.answer(accountId, undefined));
      const state = await parts.accounts.begin(accountId, { token, replica: parts.replica, staleMs: STALE_MS });
      if (state === 'begun') begun.push(accountId);
      else if (state !== 'busy') settled += this.answer(accountId, state.ready);
    });
    if (begun.length > 0) failures.push(...(await this.openBegun(begun, { token, startedAtMs })));
    if (failures.length > 0) throw new Error(`${failures.length} accounts could not be opened: ${(failures[0] as Error).message}`, { cause: failures[0] });
    return begun.length > 0 || settled > 0;
  }

  /** @returns why some of them are not open. @throws when none could be, but for those that never were open before. */
  private async openBegun(begun: readonly string[], { token, startedAtMs }: { token: string; startedAtMs: number }): Promise<readonly unknown[]> {
    const { parts } = this;
    // Noted before they are open: after a crash in between they pass the fence, which is only slower.
    const fresh = await parts.firstOpenings.take(begun);
    const first = await openAll(parts, token, { accountIds: [...fresh], holds: new Map() });
    for (const accountId of first.accountIds) this.answer(accountId, token);
    const known = begun.filter((accountId) => !fresh.has(accountId));
    if (known.length === 0) return first.failures;
    const opened = await openRound(parts, token, known);
    for (const accountId of opened.accountIds) this.answer(accountId, token);
    parts.onRound?.(opened.accountIds.size, parts.now() - startedAtMs);
    return [...first.failures, ...opened.failures];
  }

  /** They go behind all others: what a dead node keeps from being opened must not take every round's places. */
  private nextInLine(): string[] {
    const next = [...this.waiting].slice(0, MOST_IN_ROUND);
    for (const [accountId, waiter] of next) {
      this.waiting.delete(accountId);
      this.waiting.set(accountId, waiter);
    }
    return next.map(([accountId]) => accountId);
  }

  private answer(accountId: string, token: string | undefined): number {
    const waiter = this.waiting.get(accountId);
    this.waiting.delete(accountId);
    waiter?.tell(token);
    return 1;
  }
}

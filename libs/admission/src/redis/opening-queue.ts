import type { AccountOpener } from './account-opener.js';

export interface OpeningQueueOptions {
  opener: AccountOpener;
  /** Milliseconds, monotonic. */
  now: () => number;
}

interface Wanted {
  untilMs: number;
  opened: Promise<string | undefined>;
  resolve: (token: string | undefined) => void;
  reject: (reason: unknown) => void;
  asked: boolean;
}

/** Questions under way at a time, and accounts in one. A single account that is slow to open keeps no other one waiting. */
const MOST_QUESTIONS = 4;
const MOST_ACCOUNTS = 1_000;
/** Beyond it, a request is refused at once. */
const MOST_WANTED = 100_000;
const QUESTION_MS = 1_000;
const SOON_MS = 5_000;

/** Accounts that wait to be opened, each asked for once at a time, together with the others of the moment. */
export class OpeningQueue {
  private readonly wanted = new Map<string, Wanted>();
  private questions = 0;

  constructor(private readonly options: OpeningQueueOptions) {}

  /** The token of the opening; undefined: there is no such account. @throws when it cannot be asked, or takes longer. */
  open(accountId: string, waitMs: number): Promise<string | undefined> {
    const untilMs = this.options.now() + waitMs;
    const known = this.wanted.get(accountId);
    if (known) {
      if (untilMs > known.untilMs) known.untilMs = untilMs;
      return known.opened;
    }
    if (this.wanted.size >= MOST_WANTED) return Promise.reject(new Error(`${MOST_WANTED} accounts wait to be opened already`));
    const { promise: opened, resolve, reject } = Promise.withResolvers<string | undefined>();
    this.wanted.set(accountId, { untilMs, opened, resolve, reject, asked: false });
    this.askSoon();
    return opened;
  }

  openSoon(accountId: string, opened: (token: string) => void): void {
    if (this.wanted.has(accountId)) return;
    this.open(accountId, SOON_MS).then((token) => token !== undefined && opened(token), () => undefined);
  }

  private askSoon(): void {
    if (this.questions >= MOST_QUESTIONS) return;
    this.questions++;
    // Whoever comes in the same turn of the event loop comes along.
    setImmediate(() => void this.ask().finally(() => {
      this.questions--;
      if ([...this.wanted.values()].some(({ asked }) => !asked)) this.askSoon();
    }));
  }

  private async ask(): Promise<void> {
    const some = [...this.wanted].filter(([, { asked }]) => !asked).slice(0, MOST_ACCOUNTS);
    if (some.length === 0) return;
    for (const [, account] of some) account.asked = true;
    try {
      const answers = await this.options.opener.open(some.map(([accountId]) => accountId), QUESTION_MS);
      for (const [accountId, account] of some) this.settle(accountId, account, answers);
    } catch (error) {
      for (const [accountId, account] of some) this.end(accountId, () => account.reject(error));
    }
  }

  private settle(accountId: string, account: Wanted, answers: ReadonlyMap<string, string | undefined>): void {
    if (answers.has(accountId)) this.end(accountId, () => account.resolve(answers.get(accountId)));
    else if (this.options.now() >= account.untilMs) this.end(accountId, () => account.reject(new Error('the account could not be opened in time')));
    else account.asked = false;
  }

  private end(accountId: string, tell: () => void): void {
    this.wanted.delete(accountId);
    tell();
  }
}

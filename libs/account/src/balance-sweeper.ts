import type { Admission, AdmissionPosting } from '@tokone/admission';
import type { Pool } from '@tokone/persistence';
import { noAccountMetrics } from '@tokone/telemetry';
import type { AccountMetrics } from '@tokone/telemetry';
import type { RaiseAlarm } from './account-alarm.js';
import { pushBalances } from './balance-push.js';

/** What admission still waits for. */
export interface UnpostedAccount {
  accountId: string;
  /** Ledger sequence that admission knows. */
  seq: bigint;
  /** Requests that were settled more than two seconds ago and not yet posted. */
  requestIds: readonly string[];
}

/** The side of admission that the sweeper compares with the ledger. Accounts without such requests may be named too. */
export interface AdmissionView {
  unposted(): readonly UnpostedAccount[] | Promise<readonly UnpostedAccount[]>;
}

export interface BalanceSweeperParts {
  pool: Pool;
  view: AdmissionView;
  admission: Pick<Admission, 'post'>;
  raiseAlarm: RaiseAlarm;
  /** Default: nobody counts. */
  metrics?: Pick<AccountMetrics, 'sweep' | 'repeated'>;
  /** Pause between sweeps. Default 2 s: with the two seconds of the view a lost push is repeated within 5 s. */
  intervalMs?: number;
}

const DEFAULT_INTERVAL_MS = 2_000;
/** Most accounts and most requests in one statement. */
const STATEMENT_ACCOUNTS = 1_000;
const STATEMENT_REQUESTS = 10_000;
/** As many accounts as an admission keeps in memory; the view names the others. */
const MOST_MISSED = 100_000;
/** Below every sequence of the ledger. */
const NEVER_TOLD = -1n;

/** Repeats pushes that were lost, until admission's sequence is the ledger's. Owner: start and stop. */
export class BalanceSweeper {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private stopped = true;
  /** Accounts whose last push failed: admission may wait for nothing of theirs and still have an old balance. */
  private readonly missed = new Set<string>();

  constructor(private readonly parts: BalanceSweeperParts) {}

  /** For all who push: a push that fails is noted for the next sweep, and the alarm handed on. */
  readonly raiseAlarm: RaiseAlarm = (alarm) => {
    if (alarm.kind === 'push_failed') {
      for (const accountId of alarm.accountIds) if (this.missed.size < MOST_MISSED) this.missed.add(accountId);
    }
    this.parts.raiseAlarm(alarm);
  };

  start(): void {
    if (!this.stopped) return;
    this.stopped = false;
    this.schedule();
  }

  /** Waits for a running sweep. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.running;
  }

  /** One comparison of everything that admission waits for, and of the accounts whose push failed. */
  async sweep(): Promise<void> {
    const { metrics = noAccountMetrics } = this.parts;
    const startedAtMs = performance.now();
    try {
      metrics.repeated(await this.sweepAll());
      metrics.sweep('done', performance.now() - startedAtMs);
    } catch (error) {
      metrics.sweep('failed', performance.now() - startedAtMs);
      throw error;
    }
  }

  /** @returns how many balances admission had to be told. */
  private async sweepAll(): Promise<number> {
    const missed = [...this.missed];
    this.missed.clear();
    try {
      const unknown = missed.map((accountId) => ({ accountId, seq: NEVER_TOLD, requestIds: [] }));
      return (await this.repeat([...unknown, ...(await this.parts.view.unposted())])).told;
    } catch (error) {
      for (const accountId of missed) this.missed.add(accountId);
      throw error;
    }
  }

  /** Tells admission what the ledger has of these accounts and requests: how many it told, and which requests are posted. */
  async repeat(all: readonly UnpostedAccount[]): Promise<{ told: number; posted: ReadonlySet<string> }> {
    const posted = new Set<string>();
    let told = 0;
    for (const accounts of slices(all)) {
      const postings = await this.compare(accounts);
      told += postings.length;
      for (const { requestIds } of postings) for (const id of requestIds) posted.add(id);
      await pushBalances(this.parts.admission, postings, this.raiseAlarm);
    }
    return { told, posted };
  }

  private schedule(): void {
    this.timer = setTimeout(() => {
      this.running = this.sweep()
        .catch((error: unknown) => this.parts.raiseAlarm({ kind: 'sweep_failed', error }))
        .finally(() => {
          if (!this.stopped) this.schedule();
        });
    }, this.parts.intervalMs ?? DEFAULT_INTERVAL_MS);
  }

  /** Balances and posted ids in one statement, hence of one snapshot: an id is never named without its charge in the balance. */
  private async compare(accounts: readonly UnpostedAccount[]): Promise<AdmissionPosting[]> {
    const asked = accounts.flatMap(({ accountId, requestIds }) => requestIds.map((id) => ({ accountId, id })));
    const { rows } = await this.parts.pool.query<{ account_id: string; seq: bigint; balance: bigint; ids: string[] }>(COMPARISON, [
      accounts.map(({ accountId }) => accountId),
      asked.map(({ accountId }) => accountId),
      asked.map(({ id }) => id),
    ]);
    const knownSeq = new Map(accounts.map(({ accountId, seq }) => [accountId, seq]));
    return rows
      .filter((row) => row.ids.length > 0 || row.seq > (knownSeq.get(row.account_id) ?? NEVER_TOLD))
      .map((row) => ({ accountId: row.account_id, seq: row.seq, balanceNanoUsd: row.balance, requestIds: row.ids }));
  }
}

/** Bounded parts of the whole; an account with very many requests stands in several. */
function* slices(accounts: readonly UnpostedAccount[]): Generator<UnpostedAccount[]> {
  let slice: UnpostedAccount[] = [];
  let requests = 0;
  for (const account of accounts) {
    let from = 0;
    do {
      const requestIds = account.requestIds.slice(from, from + STATEMENT_REQUESTS - requests);
      slice.push({ ...account, requestIds });
      from += requestIds.length;
      requests += requestIds.length;
      if (slice.length < STATEMENT_ACCOUNTS && requests < STATEMENT_REQUESTS) continue;
      yield slice;
      slice = [];
      requests = 0;
    } while (from < account.requestIds.length);
  }
  if (slice.length > 0) yield slice;
}

const COMPARISON = `
SELECT l.account_id, l.seq, l.balance, coalesce(done.ids, '{}') AS ids
FROM account.ledger_accounts l
LEFT JOIN (
  SELECT a.account_id, array_agg(a.id::text) AS ids
  FROM unnest($2::uuid[], $3::uuid[]) AS a (account_id, id)
  WHERE EXISTS (SELECT 1 FROM account.transfers t WHERE t.id = a.id AND t.account_id = a.account_id)
    OR EXISTS (SELECT 1 FROM account.zero_charges z WHERE z.id = a.id AND z.account_id = a.account_id)
  GROUP BY a.account_id
) done ON done.account_id = l.account_id
WHERE l.kind = 'wallet' AND l.account_id = ANY ($1::uuid[])`;

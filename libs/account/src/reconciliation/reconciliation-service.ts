import type { Logger } from '@tokone/telemetry';
import { AccountError } from '../account-error.js';
import type { ReconciliationReport } from './check-report.js';
import type { Reconciliation } from './reconciliation.js';
import type { ReconciliationStore } from './reconciliation-store.js';

export interface ReconciliationServiceParts {
  reconciliation: Reconciliation;
  store: ReconciliationStore;
  ids: { next(): string };
  logger: Pick<Logger, 'info' | 'warn' | 'error'>;
  /** Told of every report that this replica has made; for metrics. It must not throw. */
  onReport?: (report: ReconciliationReport) => void;
  /** Between two runs by itself, over all replicas; default five minutes. */
  intervalMs?: number;
}

const INTERVAL_MS = 300_000;
/** A replica whose timer is a little early finds the report of the other one young enough. */
const YOUNG_SHARE = 0.5;
/** Subjects in a log line; the report has more. */
const LOGGED_SUBJECTS = 10;

/** Reconciliation by itself and when it is asked for, one at a time over all replicas. Owner: start and stop. */
export class ReconciliationService {
  private readonly stopSignal = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  /** By this replica. */
  private running: { id: string; done: Promise<void> } | undefined;

  constructor(private readonly parts: ReconciliationServiceParts) {}

  start(): void {
    this.timer ??= setInterval(() => void this.runByItself(), this.parts.intervalMs ?? INTERVAL_MS);
  }

  /** A run that is under way ends without a report. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.stopSignal.abort(new Error('the service stops'));
    await this.running?.done;
  }

  /** Begins a run. @returns the id that its report will have. @throws AccountError `conflict` while another one runs, in whatever replica. */
  async begin(full: boolean): Promise<string> {
    const begun = Promise.withResolvers<string | undefined>();
    const id = this.parts.ids.next();
    if (this.running === undefined) void this.run({ id, full }, begun);
    else begun.resolve(undefined);
    if ((await begun.promise) === undefined) throw new AccountError('conflict', 'A reconciliation is running. Ask for its report, or try again when it is over.');
    return id;
  }

  /** The report that was made last, by whatever replica, and the id of the one that this replica is making. */
  async last(): Promise<{ report: ReconciliationReport | undefined; running: string | undefined }> {
    return { report: (await this.parts.store.last())?.report, running: this.running?.id };
  }

  private async runByItself(): Promise<void> {
    const { store, logger, ids, intervalMs = INTERVAL_MS } = this.parts;
    if (this.running !== undefined) return;
    try {
      const last = await store.last();
      if (last !== undefined && last.ageMs < intervalMs * YOUNG_SHARE) return;
      const begun = Promise.withResolvers<string | undefined>();
      begun.promise.catch(() => undefined);
      await this.run({ id: ids.next(), full: false }, begun);
    } catch (error) {
      logger.error({ cause: String(error) }, 'alarm: reconciliation');
    }
  }

  /** Tells by `begun` whether it has begun; never rejects after that. */
  private run(wanted: { id: string; full: boolean }, begun: PromiseWithResolvers<string | undefined>): Promise<void> {
    const done = this.runExclusively(wanted, () => begun.resolve(wanted.id))
      .then((ran) => (ran ? undefined : begun.resolve(undefined)))
      .catch((error: unknown) => {
        begun.reject(error);
        if (!this.stopSignal.signal.aborted) this.parts.logger.error({ cause: String(error) }, 'alarm: reconciliation');
      })
      .finally(() => (this.running = undefined));
    this.running = { id: wanted.id, done };
    return done;
  }

  private async runExclusively({ id, full }: { id: string; full: boolean }, onBegin: () => void): Promise<boolean> {
    const { reconciliation, store, onReport } = this.parts;
    const ran = await store.exclusively(async () => {
      onBegin();
      const before = await store.last();
      const { report, state } = await reconciliation.run({ id, full, before, stop: this.stopSignal.signal });
      await store.keep(report, state);
      return report;
    });
    if (ran === undefined) return false;
    this.log(ran.result);
    onReport?.(ran.result);
    return true;
  }

  private log({ id, state, full, tookMs, checks }: ReconciliationReport): void {
    const { logger } = this.parts;
    if (state === 'right') return logger.info({ reportId: id, full, tookMs }, 'reconciliation: everything is right');
    const found = checks
      .filter((check) => check.state === 'wrong' || check.state === 'not_checked')
      .map(({ name, state: verdict, mismatches, reason, subjects }) => ({ name, state: verdict, mismatches, reason, subjects: subjects.slice(0, LOGGED_SUBJECTS) }));
    logger.error({ reportId: id, state, full, tookMs, checks: found }, 'alarm: reconciliation');
  }
}

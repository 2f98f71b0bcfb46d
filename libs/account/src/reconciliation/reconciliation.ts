import type { GatewayRecords } from '@tokone/account-client';
import type { AdmissionAudit } from '@tokone/admission';
import type { RatedAudit } from '@tokone/billing-client';
import type { Pool } from '@tokone/persistence';
import { FIRST_ID, LAST_ID, firstIdOf } from '@tokone/protocol';
import { checkAdmission } from './admission-comparison.js';
import { checkBalanceChains } from './balance-chains.js';
import { ChargeComparison } from './charge-comparison.js';
import { MOST_SUBJECTS, runCheck, stateOf } from './check-report.js';
import type { CheckName, CheckReport, Findings, ReconciliationReport } from './check-report.js';
import { LedgerCharges } from './ledger-charges.js';
import { checkLedgerSums } from './ledger-sums.js';
import { checkLog } from './log-comparison.js';
import type { LogComparisonParts } from './log-comparison.js';
import { checkRecords } from './record-comparison.js';
import type { RecordScope } from './record-comparison.js';

export interface ReconciliationParts {
  /** Of the account service. Not closed here. */
  pool: Pool;
  rated: RatedAudit;
  admission: AdmissionAudit;
  gateways: GatewayRecords;
  /** The log between gateways and billing; undefined where the spool itself is the log. */
  log: LogComparisonParts['log'] | undefined;
  /** Whether billing has handled within the deadline everything that its log holds at the call. */
  rating(deadlineMs: number): Promise<boolean>;
  /** Whether the ledger has posted within the deadline everything that billing has rated at the call. */
  settled(deadlineMs: number): Promise<boolean>;
  /** Wall clock, milliseconds since 1970. */
  now: () => number;
  /** Milliseconds that only go forwards. */
  monotonicNow: () => number;
  /** Between the two looks at admission; default 5 s. */
  secondLookMs?: number;
}

/** What a run leaves to the next one. JSON. */
export interface ReconciliationState {
  /** Age in milliseconds → the time up to which charges were compared when they were so old. */
  comparedTo: Record<string, number>;
  records: RecordScope;
  /** Ids that a check has named: they are looked at again until they are right, however old they are. */
  named: Partial<Record<CheckName, string[]>>;
}

export interface ReconciliationRun {
  id: string;
  /** Everything that there is, not only what came since the run before. */
  full: boolean;
  /** What the run before left. */
  before: { state: ReconciliationState } | undefined;
  stop: AbortSignal;
}

/** Charges are compared when their requests began so long ago: those of answers that take hours come late. */
const COMPARED_AT_AGES_MS = [60_000, 3_600_000, 86_400_000];
/** The first run looks this far back; all that is older is for a full one. */
const FIRST_LOOK_MS = 26 * 3_600_000;
const MINUTE_MS = 60_000;
/** A run comes every five minutes, and an hour later each minute is looked at once more. */
const RECORD_AGES_MINUTES = [[0, 12], [60, 72]] as const;
/** As far as gateways keep their counts. */
const ALL_RECORDS_MINUTES = 129;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** All comparisons of money, one after the other. They read and name; nothing is ever mended by a program. */
export class Reconciliation {
  private readonly ledger: LedgerCharges;

  constructor(private readonly parts: ReconciliationParts) {
    this.ledger = new LedgerCharges(parts.pool);
  }

  /** Rejects only when `stop` aborts. */
  async run({ id, full, before, stop }: ReconciliationRun): Promise<{ report: ReconciliationReport; state: ReconciliationState }> {
    const { pool, now, monotonicNow } = this.parts;
    const [startedAtMs, startedMs] = [now(), monotonicNow()];
    const state: ReconciliationState = { comparedTo: {}, records: { gatewayIds: [], comparableFrom: 0 }, named: {}, ...structuredClone(before?.state) };
    const again = (name: CheckName): string[] => state.named[name] ?? [];
    const checks: CheckReport[] = [];
    const check = async (name: CheckName, work: ((findings: Findings) => Promise<void>) | undefined): Promise<void> => {
      const report = await orStopped(runCheck(name, work, monotonicNow), stop);
      state.named[name] = namedBy(report, again(name));
      checks.push(report);
    };
    await check('R1', (findings) => checkLedgerSums(pool, findings, { full, again: again('R1') }));
    await check('R2', (findings) => checkBalanceChains(pool, findings, full));
    await check('R3', (findings) => this.compareCharges(findings, { full, state, again: again('R3') }));
    await check('R4', (findings) => checkAdmission({ pool, audit: this.parts.admission, ...(this.parts.secondLookMs !== undefined && { secondLookMs: this.parts.secondLookMs }), stop }, findings));
    await check('R5', (findings) => this.compareRecords(findings, { full, state }));
    const { log } = this.parts;
    await check('R6', log && ((findings) => checkLog({ ...this.parts, rating: (deadlineMs) => this.parts.rating(deadlineMs), log }, findings)));
    const report: ReconciliationReport = { id, startedAt: new Date(startedAtMs).toISOString(), tookMs: Math.round(monotonicNow() - startedMs), full, state: stateOf(checks), checks };
    return { report, state };
  }

  private async compareCharges(findings: Findings, { full, state, again }: { full: boolean; state: ReconciliationState; again: readonly string[] }): Promise<void> {
    const { rated, now } = this.parts;
    const comparison = new ChargeComparison({ rated, ledger: this.ledger, settled: (deadlineMs) => this.parts.settled(deadlineMs) }, findings);
    if (full) return comparison.compare({ after: FIRST_ID, upTo: LAST_ID });
    if (again.length > 0) await comparison.compareAgain(again);
    const nowMs = now();
    for (const [index, ageMs] of COMPARED_AT_AGES_MS.entries()) {
      const to = nowMs - ageMs;
      const known = state.comparedTo[ageMs];
      // One from the future is of a clock that was set back since.
      const from = known !== undefined && known <= nowMs ? known : index === 0 ? nowMs - FIRST_LOOK_MS : to;
      if (to > from) await comparison.compare({ after: firstIdOf(from), upTo: firstIdOf(to) });
      state.comparedTo[ageMs] = Math.max(from, to);
    }
  }

  private async compareRecords(findings: Findings, { full, state }: { full: boolean; state: ReconciliationState }): Promise<void> {
    const { gateways, rated, now } = this.parts;
    const minute = Math.floor(now() / MINUTE_MS);
    const ages = full ? [[0, ALL_RECORDS_MINUTES] as const] : RECORD_AGES_MINUTES;
    const ranges = ages.map(([youngest, oldest]) => ({ from: minute - oldest, to: minute + 2 - youngest }));
    const rating = (deadlineMs: number): Promise<boolean> => this.parts.rating(deadlineMs);
    state.records = await checkRecords({ gateways, rated, rating }, findings, { ranges, minute, scope: state.records });
  }
}

/** What was named before and could not be looked at stays named. */
function namedBy({ subjects, reason }: CheckReport, before: readonly string[]): string[] {
  const ids = subjects.map(({ subject }) => subject).filter((subject) => UUID.test(subject));
  return [...new Set(reason === undefined ? ids : [...ids, ...before])].slice(0, MOST_SUBJECTS);
}

/** A check that waits for others does not keep a process from stopping. */
async function orStopped<Result>(work: Promise<Result>, stop: AbortSignal): Promise<Result> {
  stop.throwIfAborted();
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  const end = (): void => reject(stop.reason as Error);
  stop.addEventListener('abort', end, { once: true });
  try {
    return await Promise.race([work, stopped]);
  } finally {
    stop.removeEventListener('abort', end);
  }
}
